//! How many machine instructions a piece of code takes.
//!
//! The processor is told to stop after each one (the trap flag), and the handler of the trap counts. The count does not
//! depend on the machine's speed or on what else runs, so a test can compare it: with twice the input it is at most
//! twice as high, or something is looked at again and again.

use std::arch::asm;
use std::cell::Cell;
use std::sync::Once;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Far more than any test takes: a step costs ten microseconds, and the printing of a backtrace takes millions.
const MOST: u64 = 1_000_000;

const TRAP_FLAG: libc::greg_t = 0x100;

extern "C" fn on_trap(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    STEPS.set(STEPS.get() + 1);
    if STEPS.get() >= MOST {
        // SAFETY: a handler with SA_SIGINFO is given the context to which it returns.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        context.uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP_FLAG;
    }
}

fn handle_traps() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only counts, in a cell of its thread that exists without any initialisation; it is set
        // for a signal that nothing else in this program uses.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_trap as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut()), 0);
        }
    });
}

/// Lets this thread run freely again, also if the work panics.
struct Stepping;

impl Stepping {
    fn begin() -> Self {
        // SAFETY: sets the trap flag; each trap goes to the handler, which changes nothing that the code can see.
        unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
        Self
    }
}

impl Drop for Stepping {
    fn drop(&mut self) {
        // SAFETY: takes the trap flag back.
        unsafe { asm!("pushfq", "and qword ptr [rsp], -257", "popfq") };
    }
}

/// The steps that `work` takes.
pub(crate) fn count(work: impl FnOnce()) -> u64 {
    handle_traps();
    STEPS.set(0);
    let stepping = Stepping::begin();
    work();
    drop(stepping);
    let steps = STEPS.get();
    assert!(steps > 0, "this machine does not stop after each instruction, so nothing was counted");
    assert!(steps < MOST, "it takes more than {MOST} steps");
    steps
}

#[test]
fn steps_are_counted_and_always_the_same() {
    let sum = |numbers: u64| count(|| (0..numbers).for_each(|number| _ = std::hint::black_box(number)));
    sum(1);
    let (once, again, twice) = (sum(100), sum(100), sum(200));
    assert_eq!(once, again);
    assert!(twice > once * 19 / 10 && twice < once * 21 / 10, "{once}, {twice}");
}
