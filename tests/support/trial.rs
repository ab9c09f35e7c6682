//! A libtest-mimic trial that fails by panicking, for tests with their own `main`.

use libtest_mimic::Trial;

pub fn trial(name: impl Into<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name.into(), move || {
        test();
        Ok(())
    })
}
