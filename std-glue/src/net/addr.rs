//! Addresses to and from the system's form.

use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// The system's form of an address and its length.
pub(crate) fn to_system(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let length = match address {
        SocketAddr::V4(v4) => {
            let system = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: a storage holds every kind of address.
            unsafe { storage.as_mut_ptr().cast::<libc::sockaddr_in>().write(system) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let system = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: a storage holds every kind of address.
            unsafe { storage.as_mut_ptr().cast::<libc::sockaddr_in6>().write(system) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    // SAFETY: zeroed is a valid storage.
    (unsafe { storage.assume_init() }, length as libc::socklen_t)
}

/// An address from the system's form, where it is one of the internet's.
pub(crate) fn from_system(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let data = std::ptr::from_ref(storage);
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which form lies there.
            let v4 = unsafe { &*data.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says which form lies there.
            let v6 = unsafe { &*data.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
