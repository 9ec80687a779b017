//! A loop whose completions a script decides, on a virtual clock: for tests, ours and yours.
//!
//! Operations wait in a fixed table until the script completes them, in any order, with any result, with
//! more to follow, or with the notification late. A cancel is answered by policy, so that both orders of
//! cancel and completion can be played. Time passes only when the script says so, or, when every task
//! sleeps, up to the next timer.
//!
//! SCRIPT-1: everything lies under one lock, which is never held while a completion is reported. SCRIPT-2: a result is
//! given only to an operation that waits here, and none says more bytes than its operation named: those that a script
//! only counts are zeros.

use super::{Completion, Descriptor, Doorbell, EventLoop, Full, OpToken, RawFile, Reaper, Wait};
use core::sync::atomic::{AtomicU32, Ordering};
use spin::mutex::SpinMutex;

/// How a cancel ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCancel {
    /// The operation ends as cancelled.
    Cancel,
    /// The operation had just completed, with this result.
    CompleteFirst(i32),
    /// Nothing happens until the script completes the operation.
    Ignore,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    token: OpToken,
    result: i32,
    kind: Completion,
}

/// One operation that waits for its script.
#[derive(Debug, Clone, Copy)]
pub struct PendingOp {
    /// Names it.
    pub token: OpToken,
    /// What it is.
    pub op: Descriptor,
    /// Whether a cancel has been asked for.
    pub cancelled: bool,
}

// SAFETY: the descriptor's pointers are not used without the loop's contract.
unsafe impl Send for PendingOp {}

/// A loop with room for `N` operations in flight and as many completions.
#[derive(Debug)]
pub struct ScriptedLoop<const N: usize>(SpinMutex<Script<N>>);

#[derive(Debug)]
struct Script<const N: usize> {
    pending: [Option<PendingOp>; N],
    order: [u32; N],
    events: [Option<Event>; N],
    events_head: usize,
    events_len: usize,
    submitted: u32,
    submissions_max: u32,
    submissions_room: u32,
    reaped_max: u32,
    on_cancel: OnCancel,
    automatic: Option<fn(&Descriptor) -> Option<i32>>,
    now: u64,
    turn_ns: u64,
    turns: u64,
    closed_files: u32,
    waits_for_doorbell: bool,
    heard: u32,
    attached: bool,
}

/// Rings of all scripted loops: one may end another's wait, and none is lost.
static RINGS: AtomicU32 = AtomicU32::new(0);

struct Bell;
impl Doorbell for Bell {
    fn ring(&self) {
        RINGS.fetch_add(1, Ordering::Release);
    }
}
static BELL: Bell = Bell;

impl<const N: usize> ScriptedLoop<N> {
    /// An empty loop at time zero that answers cancels.
    pub const fn new() -> Self {
        Self(SpinMutex::new(Script {
            pending: [None; N],
            order: [0; N],
            events: [None; N],
            events_head: 0,
            events_len: 0,
            submitted: 0,
            submissions_max: u32::MAX,
            submissions_room: u32::MAX,
            reaped_max: u32::MAX,
            on_cancel: OnCancel::Cancel,
            automatic: None,
            now: 0,
            turn_ns: 0,
            turns: 0,
            closed_files: 0,
            waits_for_doorbell: false,
            heard: 0,
            attached: false,
        }))
    }

    /// Takes at most so many submissions a turn, so that the queue is full afterwards.
    pub fn limit_submissions(&self, most: u32) {
        let mut script = self.0.lock();
        script.submissions_max = most;
        script.submissions_room = most;
    }

    /// Reports at most so many completions a turn, as a small completion queue does.
    pub fn limit_completions(&self, most: u32) {
        self.0.lock().reaped_max = most;
    }

    /// How cancels end from now on.
    pub fn on_cancel(&self, policy: OnCancel) {
        self.0.lock().on_cancel = policy;
    }

    /// Completes operations as they are submitted where `answer` gives a result.
    pub fn automatic(&self, answer: Option<fn(&Descriptor) -> Option<i32>>) {
        self.0.lock().automatic = answer;
    }

    /// With nothing scripted and every task asleep, waits for another thread's doorbell; without this it
    /// panics, since nothing could ever happen.
    pub fn wait_for_doorbell(&self, waits: bool) {
        self.0.lock().waits_for_doorbell = waits;
    }

    /// Lets time pass.
    pub fn advance(&self, ns: u64) {
        self.0.lock().now += ns;
    }

    /// Lets each turn take so long: for workers that spin, which else never see time pass.
    pub fn turns_take(&self, ns: u64) {
        self.0.lock().turn_ns = ns;
    }

    /// How many turns it has been given.
    pub fn turns(&self) -> u64 {
        self.0.lock().turns
    }

    /// The pending operation of that age, oldest first.
    pub fn pending(&self, index: usize) -> Option<PendingOp> {
        let script = self.0.lock();
        let mut all: [Option<PendingOp>; N] = script.pending;
        let key = |o: &Option<PendingOp>, i: usize| o.map_or(u32::MAX, |_| script.order[i]);
        let mut keys = [u32::MAX; N];
        for (i, entry) in all.iter().enumerate() {
            keys[i] = key(entry, i);
        }
        for _ in 0..index {
            let oldest = oldest(&keys)?;
            keys[oldest] = u32::MAX;
            all[oldest] = None;
        }
        oldest(&keys).and_then(|i| all[i])
    }

    /// How many operations wait.
    pub fn pending_len(&self) -> usize {
        self.0.lock().pending.iter().flatten().count()
    }

    /// Ends an operation with a result: an error, or for a transfer so many bytes, at most all. A read brings zeros.
    pub fn complete(&self, token: OpToken, result: i32) {
        self.0.lock().end(token, result, Completion::Last);
    }

    /// Gives a result with more to follow. Nothing happens when the operation does not wait here.
    pub fn complete_more(&self, token: OpToken, result: i32) {
        let mut script = self.0.lock();
        if let Some(entry) = script.find(token) {
            script.event(token, within(&entry.op, result), Completion::More);
        }
    }

    /// Ends a zero-copy operation whose result came before.
    pub fn notify(&self, token: OpToken) {
        self.0.lock().end(token, 0, Completion::Notification);
    }

    /// Ends a read or receive with these bytes, as many as fit.
    pub fn complete_read(&self, token: OpToken, bytes: &[u8]) {
        let mut script = self.0.lock();
        let Some(entry) = script.find(token) else { return };
        let (Descriptor::Read { data, len, .. } | Descriptor::Recv { data, len, .. }) = entry.op else {
            return;
        };
        let count = bytes.len().min(len as usize);
        // SAFETY: R0: the descriptor's memory is the loop's until the terminal completion.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), data, count) };
        script.end_as_it_is(token, count as i32, Completion::Last);
    }

    /// How many descriptors were closed.
    pub fn closed_files(&self) -> u32 {
        self.0.lock().closed_files
    }
}

impl<const N: usize> Default for ScriptedLoop<N> {
    fn default() -> Self {
        Self::new()
    }
}

fn oldest(keys: &[u32]) -> Option<usize> {
    let (index, key) = keys.iter().enumerate().min_by_key(|(_, key)| **key)?;
    (*key != u32::MAX).then_some(index)
}

/// SCRIPT-2, for an operation that is waiting.
fn within(op: &Descriptor, result: i32) -> i32 {
    let most = match *op {
        Descriptor::Read { len, .. }
        | Descriptor::Recv { len, .. }
        | Descriptor::Write { len, .. }
        | Descriptor::Send { len, .. }
        | Descriptor::SendZeroCopy { len, .. } => len as usize,
        Descriptor::SendVectored { ref ranges, count, .. } => {
            ranges.iter().take(usize::from(count)).map(|range| range.len).sum()
        }
        _ => return result,
    };
    let result = result.min(i32::try_from(most).unwrap_or(i32::MAX));
    if let Descriptor::Read { data, .. } | Descriptor::Recv { data, .. } = *op
        && let Ok(count @ 1..) = usize::try_from(result)
    {
        // SAFETY: R0: the descriptor's memory is the loop's until the terminal completion, and has that many bytes.
        unsafe { core::ptr::write_bytes(data, 0, count) };
    }
    result
}

impl<const N: usize> Script<N> {
    fn find(&self, token: OpToken) -> Option<PendingOp> {
        self.pending.iter().flatten().find(|entry| entry.token == token).copied()
    }

    fn event(&mut self, token: OpToken, result: i32, kind: Completion) {
        assert!(self.events_len < N, "unboxed: a script gave more completions than its loop holds");
        self.events[(self.events_head + self.events_len) % N] = Some(Event { token, result, kind });
        self.events_len += 1;
    }

    fn end(&mut self, token: OpToken, result: i32, kind: Completion) {
        if let Some(entry) = self.find(token) {
            self.end_as_it_is(token, within(&entry.op, result), kind);
        }
    }

    /// The same where a read's bytes are there.
    fn end_as_it_is(&mut self, token: OpToken, result: i32, kind: Completion) {
        let place = self.pending.iter().position(|e| e.is_some_and(|e| e.token == token));
        if let Some(place) = place {
            self.pending[place] = None;
            self.event(token, result, kind);
        }
    }

    fn submit(&mut self, token: OpToken, op: &Descriptor) -> Result<(), Full> {
        let room = self.pending.iter().position(Option::is_none).ok_or(Full)?;
        if self.submissions_room == 0 || self.events_len == N {
            return Err(Full);
        }
        self.submissions_room -= 1;
        self.submitted += 1;
        self.order[room] = self.submitted;
        self.pending[room] = Some(PendingOp { token, op: *op, cancelled: false });
        if let Some(result) = self.automatic.and_then(|answer| answer(op)) {
            self.end(token, result, Completion::Last);
        }
        Ok(())
    }

    fn cancel(&mut self, token: OpToken) {
        let Some(entry) = self.pending.iter_mut().flatten().find(|e| e.token == token) else {
            return;
        };
        entry.cancelled = true;
        match self.on_cancel {
            OnCancel::Cancel => self.end(token, -125, Completion::Last),
            OnCancel::CompleteFirst(result) => self.end(token, result, Completion::Last),
            OnCancel::Ignore => {}
        }
    }

    fn pop(&mut self) -> Option<Event> {
        if self.events_len == 0 {
            return None;
        }
        let event = self.events[self.events_head].take();
        self.events_head = (self.events_head + 1) % N;
        self.events_len -= 1;
        event
    }
}

// SAFETY: an accepted operation stays in the table until its one terminal completion; the script writes
// into its memory only before that; nothing foreign is called.
unsafe impl<const N: usize> EventLoop for ScriptedLoop<N> {
    fn attach(&self) -> bool {
        !core::mem::replace(&mut self.0.lock().attached, true)
    }

    unsafe fn submit(&self, token: OpToken, op: &Descriptor) -> Result<(), Full> {
        self.0.lock().submit(token, op)
    }

    fn cancel(&self, token: OpToken) -> Result<(), Full> {
        self.0.lock().cancel(token);
        Ok(())
    }

    fn turn(&self, wait: Wait, reaper: &mut Reaper<'_>) {
        let mut left = {
            let mut script = self.0.lock();
            script.submissions_room = script.submissions_max;
            script.turns += 1;
            script.now += script.turn_ns;
            script.reaped_max
        };
        while left > 0 && !reaper.is_full() {
            let Some(event) = self.0.lock().pop() else { break };
            reaper.complete(event.token, event.result, event.kind);
            left -= 1;
        }
        if reaper.reaped() > 0 {
            return;
        }
        match wait {
            Wait::No => {}
            Wait::Until(deadline) => {
                let mut script = self.0.lock();
                script.now = script.now.max(deadline);
            }
            Wait::Forever => {
                assert!(
                    self.0.lock().waits_for_doorbell,
                    "unboxed: every task waits, and the script has nothing more to give"
                );
                let heard = self.0.lock().heard;
                let rings = loop {
                    let rings = RINGS.load(Ordering::Acquire);
                    if rings != heard {
                        break rings;
                    }
                    core::hint::spin_loop();
                };
                self.0.lock().heard = rings;
            }
        }
    }

    fn listen(&self) -> bool {
        self.0.lock().events_len == 0
    }

    fn has_news(&self) -> bool {
        self.0.lock().events_len > 0
    }

    fn now(&self) -> u64 {
        self.0.lock().now
    }

    fn doorbell(&self) -> &'static dyn Doorbell {
        &BELL
    }

    fn close_file(&self, _: RawFile) {
        self.0.lock().closed_files += 1;
    }

    fn close(&self) {
        self.0.lock().attached = false;
    }
}
