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
use super::udp::Udp;
use crate::sandbox::{Descriptors, Errno, Interest};
use crate::trace::HostId;

impl ProcessDescriptors {
    fn open(&self, maker: &Maker, object: Object, watch: Arc<Watch>, is_nonblocking: bool) -> Result<i32, Errno> {
        let description = Description::new(maker.host, maker.alive.clone(), object, watch, is_nonblocking);
        self.table.insert(maker, Arc::new(description))
    }
}

fn is_nonblocking(flags: i32) -> bool {
    flags & libc::SOCK_NONBLOCK != 0
}

impl Descriptors for ProcessDescriptors {
    fn socket(&self, domain: i32, kind: i32, protocol: i32) -> Result<i32, Errno> {
        let (maker, watch) = (self.table.maker(), Arc::new(Watch::default()));
        let is_v6 = match domain {
            libc::AF_INET => false,
            libc::AF_INET6 => true,
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

    fn bind(&self, fd: i32, address: SocketAddr) -> Result<(), Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => tcp.bind(address),
            Object::Udp(udp) => udp.bind(address),
            _ => Err(libc::ENOTSOCK),
        }
    }

    fn listen(&self, fd: i32) -> Result<(), Errno> {
        self.table.get(fd)?.tcp()?.listen()
    }

    fn accept(&self, fd: i32, flags: i32) -> Result<(i32, SocketAddr), Errno> {
        let watch = Arc::new(Watch::default());
        let (accepted, peer) = self.table.get(fd)?.tcp()?.accept(watch.clone())?;
        let accepted = self.open(&self.table.maker(), Object::Tcp(accepted), watch, is_nonblocking(flags))?;
        Ok((accepted, peer))
    }

    fn connect(&self, fd: i32, address: SocketAddr) -> Result<(), Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => tcp.connect(address),
            Object::Udp(udp) => udp.connect(address),
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
            Object::Udp(_) => Ok(()),
            Object::Epoll(_) | Object::Event(_) => Err(libc::ENOTSOCK),
        }
    }

    fn local_address(&self, fd: i32) -> Result<Option<SocketAddr>, Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => Ok(Some(tcp.local_address())),
            Object::Udp(udp) => Ok(Some(udp.local_address())),
            Object::End(_) => Ok(None),
            Object::Epoll(_) | Object::Event(_) => Err(libc::ENOTSOCK),
        }
    }

    fn peer_address(&self, fd: i32) -> Result<Option<SocketAddr>, Errno> {
        match &self.table.get(fd)?.object {
            Object::Tcp(tcp) => tcp.peer_address().map(Some),
            Object::Udp(udp) => udp.peer_address().map(Some),
            Object::End(_) => Ok(None),
            Object::Epoll(_) | Object::Event(_) => Err(libc::ENOTSOCK),
        }
    }

    fn option(&self, fd: i32, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let description = self.table.get(fd)?;
        match &description.object {
            Object::Tcp(tcp) => tcp.option(level, name),
            Object::Udp(udp) => udp.option(level, name),
            Object::End(_) => match (level, name) {
                (libc::SOL_SOCKET, libc::SO_ERROR) => Ok(0_i32.to_ne_bytes().to_vec()),
                (libc::SOL_SOCKET, libc::SO_TYPE) => Ok(libc::SOCK_STREAM.to_ne_bytes().to_vec()),
                _ => Err(libc::ENOPROTOOPT),
            },
            Object::Epoll(_) | Object::Event(_) => Err(libc::ENOTSOCK),
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
            Object::End(end) => end.receive(buffer, peek)?,
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
            Object::Epoll(_) => Err(libc::EINVAL),
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
            Object::Epoll(_) | Object::Event(_) => Err(libc::ENOTTY),
        }
    }

    fn event(&self, initial: u64, flags: i32) -> Result<i32, Errno> {
        let (maker, watch) = (self.table.maker(), Arc::new(Watch::default()));
        let is_nonblocking = flags & libc::EFD_NONBLOCK != 0;
        self.open(&maker, Object::Event(Event::new(initial, flags)), watch, is_nonblocking)
    }

    fn epoll(&self) -> Result<i32, Errno> {
        let epoll = Object::Epoll(Arc::new(Epoll::default()));
        self.open(&self.table.maker(), epoll, Arc::new(Watch::default()), false)
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
