//! A test that fails by panic, for executables with a `main` of their own.

use libtest_mimic::Trial;

pub fn trial(name: impl Into<String>, test: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name.into(), move || {
        test();
        Ok(())
    })
}
