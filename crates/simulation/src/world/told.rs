//! What an answer tells its caller, as a number: two callers that were told the same go on in the same way.

use std::fmt::{self, Debug, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};

use reveille_domain::ports::{
    Call, EndedPage, ExecutionSeen, GetAnswer, Observation, PutAnswer, StartAnswer, StopAnswer, TokenAnswer,
};

/// An answer of a remote call.
pub trait Told {
    /// Adds what it tells.
    fn tell(&self, hasher: &mut DefaultHasher);
}

struct Writer<'a>(&'a mut DefaultHasher);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

/// Adds the debug form of a value.
pub(super) fn shown(value: &impl Debug, hasher: &mut DefaultHasher) {
    // A hasher takes everything.
    let _ = write!(Writer(hasher), "{value:?}");
}

macro_rules! told_as_shown {
    ($($answer:ty),*) => { $(impl Told for $answer {
        fn tell(&self, hasher: &mut DefaultHasher) {
            shown(self, hasher);
        }
    })* };
}

told_as_shown!(
    (),
    bool,
    Vec<String>,
    PutAnswer,
    StartAnswer,
    StopAnswer,
    TokenAnswer,
    Option<Observation>,
    Option<ExecutionSeen>,
    Option<EndedPage>
);

impl Told for GetAnswer {
    /// An entity tag stands for the whole object.
    fn tell(&self, hasher: &mut DefaultHasher) {
        match self {
            Self::Nothing => 0_u8.hash(hasher),
            Self::TooLarge { etag } => (1_u8, etag).hash(hasher),
            Self::Object(object) => (2_u8, &object.etag).hash(hasher),
        }
    }
}

impl<T: Told> Told for Call<T> {
    fn tell(&self, hasher: &mut DefaultHasher) {
        match self {
            Ok(answer) => answer.tell(hasher),
            Err(error) => shown(error, hasher),
        }
    }
}
