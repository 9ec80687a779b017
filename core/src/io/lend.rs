//! What may be lent to an operation, and how it comes back.

use crate::buf::IoBuf;
use crate::exec::current;
use crate::op::{Error, RawBuf, SlotRef};
use crate::task::Bytes;
use core::task::{Context, Poll};

/// A buffer for one operation: `&mut Bytes<'_>` of the running task, or any owned [`IoBuf`], which comes
/// back with the result.
///
/// # Safety
/// The parts that `lend` gives stay valid until `take_back` or `discard`, whatever becomes of `self`.
pub unsafe trait Lend: Sized {
    /// The result with the buffer, where it was moved in. `None`: the buffer went with its task.
    type Output;

    /// Waits until an earlier operation has let go.
    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;

    /// Gives the parts away.
    fn lend(&mut self) -> RawBuf;

    /// Notes where they went.
    #[doc(hidden)]
    fn note(&mut self, slot: Option<Slot>);

    /// The parts are back.
    ///
    /// # Safety
    /// `raw` is what `lend` gave, `raw.len` perhaps grown to what is initialised now.
    unsafe fn take_back(&mut self, raw: RawBuf);

    /// Nobody waits for the parts any more.
    ///
    /// # Safety
    /// As `take_back`, for the last time.
    unsafe fn discard(raw: RawBuf);

    /// The operation's output.
    fn output(self, result: Result<usize, Error>) -> Self::Output;

    /// The result in an output.
    fn result(output: &Self::Output) -> &Result<usize, Error>;
}

/// An opaque name of the slot that borrows a buffer.
#[derive(Debug, Clone, Copy)]
pub struct Slot(pub(crate) SlotRef);

// SAFETY: BYTES-1: the bytes lie in the block of the task whose operation borrows them.
unsafe impl Lend for &mut Bytes<'_> {
    type Output = Result<usize, Error>;

    fn poll_free(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.check_owner()?;
        match self.lent_to() {
            None => Poll::Ready(Ok(())),
            Some(slot) => {
                slot.wake_at_end(cx);
                Poll::Pending
            }
        }
    }

    fn lend(&mut self) -> RawBuf {
        let len = self.len() as u32;
        RawBuf { data: self.data(), len, capacity: len }
    }

    fn note(&mut self, slot: Option<Slot>) {
        if let Some(slot) = slot {
            self.set_lent(slot.0);
        }
    }

    unsafe fn take_back(&mut self, _: RawBuf) {}

    unsafe fn discard(_: RawBuf) {}

    fn output(self, result: Result<usize, Error>) -> Self::Output {
        result
    }

    fn result(output: &Self::Output) -> &Result<usize, Error> {
        output
    }
}

/// An owned buffer on its way through an operation.
#[derive(Debug)]
pub struct Moved<B>(Option<B>);

// SAFETY: `IoBuf`'s contract: the parts stay valid without the value.
unsafe impl<B: IoBuf> Lend for Moved<B> {
    type Output = (Result<usize, Error>, Option<B>);

    fn poll_free(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(if current::get().is_some() { Ok(()) } else { Err(Error::NoTask) })
    }

    fn lend(&mut self) -> RawBuf {
        self.0.take().map_or(RawBuf::NONE, IoBuf::into_raw)
    }

    fn note(&mut self, _: Option<Slot>) {}

    unsafe fn take_back(&mut self, raw: RawBuf) {
        // SAFETY: passed on.
        self.0 = Some(unsafe { B::from_raw(raw) });
    }

    unsafe fn discard(raw: RawBuf) {
        // SAFETY: passed on.
        drop(unsafe { B::from_raw(raw) });
    }

    fn output(self, result: Result<usize, Error>) -> Self::Output {
        (result, self.0)
    }

    fn result(output: &Self::Output) -> &Result<usize, Error> {
        &output.0
    }
}

/// Into what an argument lends: bytes as they are, an owned buffer moved.
pub trait IntoLend {
    /// The lender.
    type Lend: Lend;
    /// Begins.
    fn into_lend(self) -> Self::Lend;
}

impl<'a, 't> IntoLend for &'a mut Bytes<'t> {
    type Lend = &'a mut Bytes<'t>;
    fn into_lend(self) -> Self::Lend {
        self
    }
}

impl<B: IoBuf> IntoLend for B {
    type Lend = Moved<B>;
    fn into_lend(self) -> Moved<B> {
        Moved(Some(self))
    }
}
