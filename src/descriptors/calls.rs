//! The calls of programs, each to the object that a number stands for.

use std::io::IoSlice;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::ReadBuf;

use super::ProcessDescriptors;
use super::description::{Description, Object, Watch};
use super::epoll::{Epoll, Key};
use super::event::Event;
use super::pair;
use super::table::{Maker, Table};
use super::tcp::Tcp;
use super::timer::Timer;
use super::udp::Udp;
use super::unix::Unix;
use crate::sandbox::{Address, Descriptors, Errno, Interest, TimerSetting};
use crate::trace::HostId;

impl ProcessDescriptors {
    fn open(&self, maker: &Maker, object: Object, watch: Arc<Watch>, is_nonblocking: bool) -> Result<i32, Errno> {
        let description = Description::new(maker.host, maker.alive.clone(), object, watch, is_nonblocking);
        self.table.insert(maker, Arc::new(description))
    }

    fn unix_socket(&self, maker: &Maker, watch: Arc<Watch>, kind: i32) -> Result<i32, Errno> {
        if kind & 0xf != libc::SOCK_STREAM {
            return Err(libc::EPROTONOSUPPORT);
        }
        let unix = Arc::new(Unix::new(self.names.clone(), maker.host, maker.alive.clone(), watch.clone()));
        self.open(maker, Object::Unix(unix), watch, is_nonblocking(kind))
    }
}

fn is_nonblocking(flags: i32) -> bool {
    flags & libc::SOCK_NONBLOCK != 0
}

/// The options of a Unix socket.
fn option_of_unix(level: i32, name: i32, is_listening: bool) -> Result<Vec<u8>, Errno> {
    let number = match (level, name) {
        (libc::SOL_SOCKET, libc::SO_ERROR) => 0,
        (libc::SOL_SOCKET, libc::SO_TYPE) => libc::SOCK_STREAM,
        (libc::SOL_SOCKET, libc::SO_DOMAIN) => libc::AF_UNIX,
        (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => i32::from(is_listening),
        _ => return Err(libc::ENOPROTOOPT),
    };
    Ok(number.to_ne_bytes().to_vec())
}

fn inet(address: &Address) -> Result<SocketAddr, Errno> {
    if let Address::Inet(address) = address { Ok(*address) } else { Err(libc::EAFNOSUPPORT) }
}

fn unix(address: &Address) -> Result<&Vec<u8>, Errno> {
    if let Address::Unix(name) = address { Ok(name) } else { Err(libc::EINVAL) }
}

impl Descriptors for ProcessDescriptors {
    fn socket(&self, domain: i32, kind: i32, protocol: i32) -> Result<i32, Errno> {
        let (maker, watch) = (self.table.maker(), Arc::new(Watch::default()));
        let is_v6 = match domain {
            libc::AF_INET => false,
            libc::AF_INET6 => true,
            libc::AF_UNIX => return self.unix_socket(&maker, watch, kind),
            _ => return Err(libc::EAFNOSUPPORT),
        };
        match (kind & 0xf, protocol) {
            (libc::SOCK_STREAM, 0 | libc::IPPROTO_TCP) => {
                let tcp = Tcp::new(self.net.clone(), maker.host, maker.alive.clone(), is_v6, watch.clone());
                self.open(&maker, Object::Tcp(tcp), watch, is_nonblocking(kind))
            }
            (libc::SOCK_DGRAM, 0 | libc::IPPROTO_UDP) => {
                let udp = Udp::new(self.net.clone(), maker.host, maker.alive.clone(), is_v6, watch.clone());
                self.open(&maker, Object::Udp(udp), watch, is_nonblocking(kind))
            }
            _ => Err(libc::EPROTONOSUPPORT),
        }
    }

    fn pair(&self, kind: i32, is_pipe: bool) -> Result<[i32; 2], Errno> {
        if !is_pipe && kind & 0xf != libc::SOCK_STREAM {
            return Err(libc::EPROTONOSUPPORT);
        }
        let maker = self.table.maker();
        let mut numbers = [0; 2];
        for (number, (end, watch)) in numbers.iter_mut().zip(pair::pair(is_pipe)) {
            *number = if maker.is_outside {
                let alive = crate::alive::AliveFlag::new();
                let shared = Description::new(maker.host, alive, Object::End(end), watch, is_nonblocking(kind));
                Table::share(Arc::new(shared))
            } else {
                self.open(&maker, Object::End(end), watch, is_nonblocking(kind))?
            };
        }
        Ok(numbers)
    }

    fn bind(&self, fd: i32, address: &Address) -> Result<(), Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => tcp.bind(inet(address)?),
            Object::Udp(udp) => udp.bind(inet(address)?),
            Object::Unix(socket) => socket.bind(unix(address)?.clone()),
            _ => Err(libc::ENOTSOCK),
        }
    }

    fn listen(&self, fd: i32, backlog: i32) -> Result<(), Errno> {
        let description = self.table.get(fd)?;
        if let Object::Unix(unix) = &description.object {
            unix.listen(backlog)
        } else {
            description.tcp()?.listen(backlog)
        }
    }

    fn accept(&self, fd: i32, flags: i32) -> Result<(i32, Address), Errno> {
        let description = self.table.get(fd)?;
        let (accepted, watch, peer) = if let Object::Unix(unix) = &description.object {
            let (accepted, watch, peer) = unix.accept()?;
            (Object::Unix(Arc::new(accepted)), watch, Address::Unix(peer))
        } else {
            let watch = Arc::new(Watch::default());
            let (accepted, peer) = description.tcp()?.accept(watch.clone())?;
            (Object::Tcp(accepted), watch, Address::Inet(peer))
        };
        Ok((self.open(&self.table.maker(), accepted, watch, is_nonblocking(flags))?, peer))
    }

    fn connect(&self, fd: i32, address: &Address) -> Result<(), Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => tcp.connect(inet(address)?),
            Object::Udp(udp) => udp.connect(inet(address)?),
            Object::Unix(socket) => socket.connect(unix(address)?),
            _ => Err(libc::ENOTSOCK),
        }
    }

    fn shutdown(&self, fd: i32, how: i32) -> Result<(), Errno> {
        let (reads, writes) = match how {
            libc::SHUT_RD => (true, false),
            libc::SHUT_WR => (false, true),
            libc::SHUT_RDWR => (true, true),
            _ => return Err(libc::EINVAL),
        };
        let description = self.table.get(fd)?;
        match &description.object {
            Object::Tcp(tcp) => tcp.shut_down(reads, writes),
            Object::End(end) => {
                end.shut_down(reads, writes);
                Ok(())
            }
            Object::Unix(unix) => unix.shut_down(reads, writes),
            Object::Udp(_) => Ok(()),
            Object::Epoll(_) | Object::Event(_) | Object::Timer(_) => Err(libc::ENOTSOCK),
        }
    }

    fn local_address(&self, fd: i32) -> Result<Address, Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => Ok(Address::Inet(tcp.local_address())),
            Object::Udp(udp) => Ok(Address::Inet(udp.local_address())),
            Object::Unix(unix) => Ok(Address::Unix(unix.local_name())),
            Object::End(_) => Ok(Address::Unix(Vec::new())),
            Object::Epoll(_) | Object::Event(_) | Object::Timer(_) => Err(libc::ENOTSOCK),
        }
    }

    fn peer_address(&self, fd: i32) -> Result<Address, Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => tcp.peer_address().map(Address::Inet),
            Object::Udp(udp) => udp.peer_address().map(Address::Inet),
            Object::Unix(unix) => unix.peer_name().map(Address::Unix),
            Object::End(_) => Ok(Address::Unix(Vec::new())),
            Object::Epoll(_) | Object::Event(_) | Object::Timer(_) => Err(libc::ENOTSOCK),
        }
    }

    fn option(&self, fd: i32, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let description = self.table.get(fd)?;
        match &description.object {
            Object::Tcp(tcp) => tcp.option(level, name),
            Object::Udp(udp) => udp.option(level, name),
            Object::End(_) => option_of_unix(level, name, false),
            Object::Unix(unix) => option_of_unix(level, name, unix.is_listening()),
            Object::Epoll(_) | Object::Event(_) | Object::Timer(_) => Err(libc::ENOTSOCK),
        }
    }

    fn set_option(&self, fd: i32, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => tcp.set_option(level, name, value),
            Object::Udp(udp) => udp.set_option(level, name, value),
            _ => Err(libc::ENOTSOCK),
        }
    }

    fn receive(&self, fd: i32, buffer: &mut ReadBuf<'_>, peek: bool) -> Result<Option<(SocketAddr, usize)>, Errno> {
        let description = self.table.get(fd)?;
        match &description.object {
            Object::Tcp(tcp) => tcp.receive(buffer, peek)?,
            Object::Udp(udp) => return udp.receive(buffer, peek),
            Object::Event(event) => {
                event.receive(buffer)?;
                description.watch.notify();
            }
            Object::Timer(timer) => {
                timer.receive(buffer)?;
                description.watch.notify();
            }
            Object::End(end) => end.receive(buffer, peek)?,
            Object::Unix(unix) => unix.receive(buffer, peek)?,
            Object::Epoll(_) => return Err(libc::EINVAL),
        }
        Ok(None)
    }

    fn send(&self, fd: i32, slices: &[IoSlice<'_>], to: Option<SocketAddr>) -> Result<usize, Errno> {
        let description = self.table.get(fd)?;
        match &description.object {
            Object::Tcp(tcp) => tcp.send(slices),
            Object::Udp(udp) => udp.send(slices, to),
            Object::Event(event) => {
                let sent = event.send(slices)?;
                description.watch.notify();
                Ok(sent)
            }
            Object::End(end) => end.send(slices),
            Object::Unix(unix) => unix.send(slices),
            Object::Epoll(_) | Object::Timer(_) => Err(libc::EINVAL),
        }
    }

    fn close(&self, fd: i32) -> Result<(), Errno> {
        self.table.remove(fd).map(drop)
    }

    fn duplicate(&self, fd: i32) -> Result<i32, Errno> {
        let description = self.table.get(fd)?;
        self.table.insert(&self.table.maker(), description)
    }

    fn is_nonblocking(&self, fd: i32) -> Result<bool, Errno> {
        self.table.get(fd).map(|description| description.is_nonblocking())
    }

    fn time_limit(&self, fd: i32) -> Option<Duration> {
        match &self.table.get(fd).ok()?.object {
            Object::Tcp(tcp) => tcp.time_limit(),
            Object::Udp(udp) => udp.time_limit(),
            _ => None,
        }
    }

    fn set_nonblocking(&self, fd: i32, is_nonblocking: bool) -> Result<(), Errno> {
        self.table.get(fd).map(|description| description.set_nonblocking(is_nonblocking))
    }

    fn available(&self, fd: i32) -> Result<usize, Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => Ok(tcp.available()),
            Object::Udp(udp) => Ok(udp.available()),
            Object::End(end) => Ok(end.available()),
            Object::Unix(unix) => Ok(unix.available()),
            Object::Epoll(_) | Object::Event(_) | Object::Timer(_) => Err(libc::ENOTTY),
        }
    }

    fn event(&self, initial: u64, flags: i32) -> Result<i32, Errno> {
        let (maker, watch) = (self.table.maker(), Arc::new(Watch::default()));
        let is_nonblocking = flags & libc::EFD_NONBLOCK != 0;
        self.open(&maker, Object::Event(Event::new(initial, flags)), watch, is_nonblocking)
    }

    fn timer(&self, clock: i32, flags: i32) -> Result<i32, Errno> {
        let (maker, watch) = (self.table.maker(), Arc::new(Watch::default()));
        let timer = Timer::new(self.net.clone(), maker.host, clock, watch.clone());
        self.open(&maker, Object::Timer(timer), watch, flags & libc::TFD_NONBLOCK != 0)
    }

    fn set_timer(&self, fd: i32, setting: TimerSetting) -> Result<TimerSetting, Errno> {
        self.table.get(fd)?.timer().map(|timer| timer.set(setting))
    }

    fn clock_of_timer(&self, fd: i32) -> Result<i32, Errno> {
        self.table.get(fd)?.timer().map(|timer| timer.clock)
    }

    fn timer_left(&self, fd: i32) -> Result<TimerSetting, Errno> {
        self.table.get(fd)?.timer().map(|timer| timer.left())
    }

    fn epoll(&self) -> Result<i32, Errno> {
        let maker = self.table.maker();
        let epoll = Object::Epoll(Arc::new(Epoll::new(maker.host)));
        self.open(&maker, epoll, Arc::new(Watch::default()), false)
    }

    fn epoll_control(&self, epoll: i32, operation: i32, fd: i32, interest: Interest) -> Result<(), Errno> {
        let (description, watched) = (self.table.get(epoll)?, self.table.get(fd)?);
        let epoll = description.epoll()?;
        let key = Key { description: watched.id, number: fd };
        match operation {
            libc::EPOLL_CTL_ADD => watched.add_interest(epoll, fd, interest),
            libc::EPOLL_CTL_MOD => epoll.change(key, interest),
            libc::EPOLL_CTL_DEL => {
                epoll.remove(key)?;
                watched.watch.remove(epoll, key);
                Ok(())
            }
            _ => Err(libc::EINVAL),
        }
    }

    fn epoll_take(&self, epoll: i32, most: usize, events: &mut Vec<Interest>) -> Result<(), Errno> {
        let description = self.table.get(epoll)?;
        if description.epoll()?.take(most, events) {
            // The runtime must look at its tasks once more before its paused clock moves.
            self.net.rouse(description.host);
        }
        Ok(())
    }

    fn level(&self, fd: i32) -> Result<u32, Errno> {
        self.table.get(fd).map(|description| description.level())
    }

    fn unlink(&self, path: &[u8]) -> bool {
        self.names.unlink(self.table.maker().host, path)
    }

    fn name_of(&self, address: IpAddr) -> Option<String> {
        self.net.name_of(self.table.maker().host, address)
    }

    fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, i32> {
        let maker = self.table.maker();
        let found = if maker.alive.is_set() { self.net.addresses(maker.host, name) } else { Vec::new() };
        if found.is_empty() { Err(libc::EAI_NONAME) } else { Ok(found) }
    }

    fn delay_of_look_up(&self, name: &str) -> Duration {
        self.net.delay_of_look_up(self.table.maker().host, name)
    }

    fn rouse(&self, host: usize) {
        self.net.rouse(HostId(host as u16));
    }
}
