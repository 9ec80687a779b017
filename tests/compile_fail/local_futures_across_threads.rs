use unboxed::channel::Channel;
use unboxed::sync::{Local, Notify, Semaphore};

fn sent<T: Send>(_: T) {}

fn main() {
    let semaphore: Semaphore<Local> = Semaphore::with_domain(1);
    sent(semaphore.try_acquire(1));
    let notify: Notify<Local> = Notify::with_domain();
    sent(notify.notified());
    let channel: Channel<u32, 1, Local> = Channel::with_domain();
    sent(channel.recv());
}
