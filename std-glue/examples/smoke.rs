#![allow(missing_docs, clippy::all, clippy::undocumented_unsafe_blocks)]
use unboxed::*; use std::time::Duration;
use unboxed::task::support::*;
async fn body(args: (u32,), _t: BytesToken) -> u32 { op::nop().await.unwrap(); eprintln!("nop done"); time::sleep(Duration::from_millis(args.0 as u64)).await.unwrap(); eprintln!("slept {}", args.0); args.0 * 2 }
const N: usize = 4; const K: usize = 32;
static POOL: PoolStorage<{ blocks_size::<(u32,), _, N, K, 0>(body) }> = PoolStorage::new("body", false);
fn pool() -> Pool<(u32,), u32> { unsafe { pool_of::<(u32,), _, N, K, 0, { blocks_size::<(u32,), _, N, K, 0>(body) }>(&POOL, body) } }
async fn nops(args: (u32,), _t: BytesToken) -> f64 { 
  struct Join { ops: [Option<op::Nop>; 32], left: usize }
  impl Future for Join { type Output = (); fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
    let me = &mut *self; for o in &mut me.ops { if let Some(op) = o && std::pin::Pin::new(op).poll(cx).is_ready() { *o = None; me.left -= 1; } } if me.left == 0 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending } } }
  let t = std::time::Instant::now(); for _ in 0..args.0 / 32 { Join { ops: std::array::from_fn(|_| Some(op::nop())), left: 32 }.await; } t.elapsed().as_nanos() as f64 / args.0 as f64 }
static NOPS: PoolStorage<{ blocks_size::<(u32,), _, 1, 32, 0>(nops) }> = PoolStorage::new("nops", false);
fn npool() -> Pool<(u32,), f64> { unsafe { pool_of::<(u32,), _, 1, 32, 0, { blocks_size::<(u32,), _, 1, 32, 0>(nops) }>(&NOPS, nops) } }
async fn one(args: (u32,), _t: BytesToken) { for _ in 0..args.0 { op::nop().await.unwrap(); } }
static ONE: PoolStorage<{ blocks_size::<(u32,), _, 32, 2, 0>(one) }> = PoolStorage::new("one", false);
fn opool() -> Pool<(u32,), ()> { unsafe { pool_of::<(u32,), _, 32, 2, 0, { blocks_size::<(u32,), _, 32, 2, 0>(one) }>(&ONE, one) } }
async fn triv(args: (u32,), _t: BytesToken) -> u32 { args.0 }
static TRIV: PoolStorage<{ blocks_size::<(u32,), _, 32, 0, 0>(triv) }> = PoolStorage::new("triv", false);
fn tpool() -> Pool<(u32,), u32> { unsafe { pool_of::<(u32,), _, 32, 0, 0, { blocks_size::<(u32,), _, 32, 0, 0>(triv) }>(&TRIV, triv) } }
async fn yy(args: (u32,), _t: BytesToken) -> u32 { for _ in 0..args.0 { yield_now().await; } args.0 }
static YY: PoolStorage<{ blocks_size::<(u32,), _, 32, 0, 0>(yy) }> = PoolStorage::new("yy", false);
fn ypool() -> Pool<(u32,), u32> { unsafe { pool_of::<(u32,), _, 32, 0, 0, { blocks_size::<(u32,), _, 32, 0, 0>(yy) }>(&YY, yy) } }
static RT: rt::RuntimeCell = rt::RuntimeCell::new();
fn main() {
  let mut rt = RT.start(rt::Config::new()).unwrap();
  let v = rt.block_on(async { let a = pool().spawn((20,)).unwrap(); let b = pool().spawn((5,)).unwrap(); (a.await.unwrap(), b.await.unwrap()) });
  println!("{v:?} inflight {}", rt.in_flight());
  let n = 3_000_000u32;
  for _ in 0..3 {
  let x = rt.block_on(async { npool().spawn((n,)).unwrap().await.unwrap() }); 
  let t = std::time::Instant::now(); rt.block_on(async { let mut hs: [Option<JoinHandle<()>>; 32] = [const { None }; 32]; for h in &mut hs { *h = Some(opool().spawn((n/32,)).unwrap()); } for h in &mut hs { h.take().unwrap().await.unwrap(); } }); let m = t.elapsed().as_nanos() as f64 / n as f64;
  let mut r = io_uring::IoUring::builder().setup_single_issuer().setup_defer_taskrun().setup_no_sqarray().build(256).unwrap(); let t = std::time::Instant::now(); let mut k = 0; while k < n { for _ in 0..32 { unsafe { r.submission().push(&io_uring::opcode::Nop::new().build().user_data(1)).unwrap() } } r.submit_and_wait(32).unwrap(); k += r.completion().map(|c: io_uring::cqueue::Entry| c.user_data() as u32).sum::<u32>(); } let b = t.elapsed().as_nanos() as f64 / n as f64;
  let t = std::time::Instant::now(); rt.block_on(async { for i in 0..n/100 { for _ in 0..100/25 { let mut hs: [Option<JoinHandle<u32>>; 25] = [const { None }; 25]; for h in &mut hs { *h = Some(tpool().spawn((i,)).unwrap()); } yield_now().await; for h in &mut hs { h.take().unwrap().await.unwrap(); } } } }); let s = t.elapsed().as_nanos() as f64 / n as f64;
  let t = std::time::Instant::now(); rt.block_on(async { let mut hs: [Option<JoinHandle<u32>>; 32] = [const { None }; 32]; for h in &mut hs { *h = Some(ypool().spawn((n/32,)).unwrap()); } for h in &mut hs { h.take().unwrap().await.unwrap(); } }); let y = t.elapsed().as_nanos() as f64 / n as f64;
  println!("bare {b:.1} join32 {x:.1} ({:.0}%) tasks32 {m:.1} ({:.0}%) spawn+join {s:.1} yield {y:.1}", b/x*100., b/m*100.); }
}
