use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn what_waits_for_one_time_goes_on_in_the_order_in_which_it_began() {
    let order: Rc<RefCell<Vec<u32>>> = Rc::default();
    block_on(async {
        for (number, after) in [(1, 5_000), (2, 70), (3, 5_000), (4, 70), (5, 1)] {
            let order = Rc::clone(&order);
            spawn(async move {
                sleep(ms(after)).await;
                order.borrow_mut().push(number);
            });
        }
        sleep(ms(4_000)).await;
        let late = Rc::clone(&order);
        spawn(async move {
            sleep(ms(1_000)).await;
            late.borrow_mut().push(6);
        });
        sleep(ms(2_000)).await;
    });
    assert_eq!(order.take(), [5, 2, 4, 1, 3, 6]);
}

#[test]
fn time_stands_still_while_anything_can_run() {
    block_on(async {
        let begun = Instant::now();
        for _ in 0..1_000 {
            let bell = Rc::new(Notify::new());
            let ringer = Rc::clone(&bell);
            spawn(async move { ringer.notify_one() });
            bell.notified().await;
        }
        assert_eq!(Instant::now(), begun);
        sleep(Duration::from_micros(1_500)).await;
        assert_eq!(Instant::now() - begun, ms(2), "what is due within a millisecond is due at its end");
    });
}

#[test]
fn a_task_that_was_aborted_is_dropped_and_never_polled_again() {
    struct Dropped(Rc<Cell<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let (dropped, went_on) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    block_on(async {
        let (watch, late) = (Dropped(Rc::clone(&dropped)), Rc::clone(&went_on));
        let task = spawn(async move {
            let _watch = watch;
            sleep(ms(10)).await;
            late.set(true);
        });
        sleep(ms(5)).await;
        task.abort();
        sleep(ms(1)).await;
        assert!(dropped.get());
        sleep(ms(20)).await;
    });
    assert!(!went_on.get());
}

#[test]
fn each_simulation_begins_at_zero_and_hears_nothing_of_the_one_before() {
    let bell = Rc::new(Notify::new());
    block_on(async {
        let waits = Rc::clone(&bell);
        spawn(async move { waits.notified().await });
        sleep(ms(10)).await;
    });
    block_on(async {
        assert_eq!(deadlines(), Vec::<u64>::new());
        let begun = Instant::now();
        bell.notify_one();
        sleep(ms(3)).await;
        assert_eq!(Instant::now() - begun, ms(3));
    });
}

#[test]
fn nothing_passes_before_whoever_is_asked_has_nothing_to_let_go() {
    let bell = Rc::new(Notify::new());
    let asked = Cell::new(0);
    let at = block_on_with(
        async {
            bell.notified().await;
            let at = Instant::now();
            sleep(ms(7)).await;
            Instant::now() - at
        },
        || {
            asked.set(asked.get() + 1);
            if asked.get() == 1 {
                bell.notify_one();
            }
            asked.get() == 1
        },
    );
    assert_eq!((at, asked.get()), (ms(7), 2));
}

#[test]
#[should_panic(expected = "everything waits")]
fn a_wait_without_an_end_is_said() {
    block_on(std::future::pending::<()>());
}
