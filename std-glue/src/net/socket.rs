//! Plain system calls on a socket that never wait.

use super::addr;
use std::mem::{MaybeUninit, size_of};
use std::net::SocketAddr;
use unboxed_core::op::Error;

pub(super) fn last_error() -> Error {
    Error::Os(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

fn check(result: i32) -> Result<i32, Error> {
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

/// A TCP socket for addresses of that family.
pub(super) fn open(address: &SocketAddr) -> Result<i32, Error> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no memory is named.
    check(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })
}

pub(super) fn set_option(fd: i32, level: i32, name: i32, value: i32) -> Result<(), Error> {
    let data = std::ptr::from_ref(&value).cast();
    // SAFETY: the value outlives the call.
    check(unsafe { libc::setsockopt(fd, level, name, data, size_of::<i32>() as u32) }).map(|_| ())
}

pub(super) fn get_option(fd: i32, level: i32, name: i32) -> Result<i32, Error> {
    let mut value = 0i32;
    let mut length = size_of::<i32>() as u32;
    let data = std::ptr::from_mut(&mut value).cast();
    // SAFETY: value and length outlive the call.
    check(unsafe { libc::getsockopt(fd, level, name, data, &mut length) })?;
    Ok(value)
}

pub(super) fn bind(fd: i32, address: SocketAddr) -> Result<(), Error> {
    let (storage, length) = addr::to_system(address);
    let data = std::ptr::from_ref(&storage).cast();
    // SAFETY: the address outlives the call.
    check(unsafe { libc::bind(fd, data, length) }).map(|_| ())
}

pub(super) fn listen(fd: i32, backlog: i32) -> Result<(), Error> {
    // SAFETY: no memory is named.
    check(unsafe { libc::listen(fd, backlog) }).map(|_| ())
}

type NameCall = unsafe extern "C" fn(i32, *mut libc::sockaddr, *mut libc::socklen_t) -> i32;

fn name(fd: i32, call: NameCall) -> Result<SocketAddr, Error> {
    let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: storage and length outlive the call.
    check(unsafe { call(fd, storage.as_mut_ptr().cast(), &mut length) })?;
    // SAFETY: zeroed, and perhaps filled.
    addr::from_system(unsafe { storage.assume_init_ref() }).ok_or(Error::Os(libc::EAFNOSUPPORT))
}

pub(super) fn local(fd: i32) -> Result<SocketAddr, Error> {
    name(fd, libc::getsockname)
}

pub(super) fn peer(fd: i32) -> Result<SocketAddr, Error> {
    name(fd, libc::getpeername)
}
