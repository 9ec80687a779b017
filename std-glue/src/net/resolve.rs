//! Names to addresses, by the system's resolver, on a thread that may block.

use crate::blocking::{BlockingPool, JobError};
use std::ffi::CStr;
use std::fmt;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::ptr;

/// At most so many addresses of a name are kept.
pub const ADDRESSES_MAX: usize = 8;
/// A name has at most so many bytes; the domain name system allows no more.
const NAME_MAX: usize = 253;

/// The addresses of a name, in the order in which they are to be tried.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    addresses: [Option<SocketAddr>; ADDRESSES_MAX],
}

impl Addresses {
    /// The addresses.
    pub fn iter(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.addresses.iter().flatten().copied()
    }
}

/// Why there are none.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResolveError {
    /// The name is longer than 253 bytes, or has a zero in it.
    Name,
    /// The resolver's own number, as in `EAI_NONAME`.
    Resolver(i32),
    /// The job ended otherwise.
    Job(JobError),
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("the name is longer than 253 bytes, or has a zero byte in it"),
            Self::Resolver(number) => {
                // SAFETY: the system's text for the number, static.
                let text = unsafe { CStr::from_ptr(libc::gai_strerror(*number)) };
                write!(f, "the name was not resolved: {}", text.to_string_lossy())
            }
            Self::Job(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ResolveError {}

/// Asks the system's resolver (getaddrinfo) for a name's addresses, on a thread of `pool`; waits for a place there.
///
/// The resolver itself allocates, within the C library and on that thread: this is the one call here of which that
/// must be said. Nothing of it is left when it returns. Takes places of at least 384 bytes.
///
/// # Errors
/// [`ResolveError`].
///
/// # Cancel safety
/// Dropped, it is forgotten unless a thread is in the resolver already; that one ends by the resolver's own timeouts.
pub async fn resolve<const THREADS: usize, const PLACES: usize, const BYTES: usize>(
    pool: &'static BlockingPool<THREADS, PLACES, BYTES>,
    name: &str,
    port: u16,
) -> Result<Addresses, ResolveError> {
    let mut bytes = [0u8; NAME_MAX + 1];
    if name.len() > NAME_MAX || name.bytes().any(|byte| byte == 0) {
        return Err(ResolveError::Name);
    }
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    pool.run(move || ask(&bytes, port)).await.map_err(ResolveError::Job)?
}

fn ask(name: &[u8; NAME_MAX + 1], port: u16) -> Result<Addresses, ResolveError> {
    let name = CStr::from_bytes_until_nul(name).map_err(|_| ResolveError::Name)?;
    // SAFETY: zeros are "anything".
    let mut hints: libc::addrinfo = unsafe { MaybeUninit::zeroed().assume_init() };
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = ptr::null_mut();
    // SAFETY: a terminated name, live hints, and a place for the list.
    let number = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if number != 0 {
        return Err(ResolveError::Resolver(number));
    }
    let mut addresses = [None; ADDRESSES_MAX];
    let mut places = addresses.iter_mut();
    let mut at: *const libc::addrinfo = list;
    // SAFETY: the resolver's list, which ends with null and is ours until it is freed below.
    while let Some(entry) = unsafe { at.as_ref() } {
        // SAFETY: as above: an address of the entry's family.
        if let Some(address) = unsafe { address_of(entry, port) } {
            let Some(place) = places.next() else { break };
            *place = Some(address);
        }
        at = entry.ai_next;
    }
    // SAFETY: the list that was given, once.
    unsafe { libc::freeaddrinfo(list) };
    Ok(Addresses { addresses })
}

/// # Safety
/// The entry's address is one of its family.
unsafe fn address_of(entry: &libc::addrinfo, port: u16) -> Option<SocketAddr> {
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: by this function's contract.
            let v4 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(SocketAddr::new(IpAddr::from(v4.sin_addr.s_addr.to_ne_bytes()), port))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let address = SocketAddrV6::new(v6.sin6_addr.s6_addr.into(), port, 0, v6.sin6_scope_id);
            Some(address.into())
        }
        _ => None,
    }
}
