//! What several decisions about one call come to. Pure: nobody is asked here, and nothing happens.
//!
//! Deny over ask over answer; what is rewritten runs only where nothing of these stands in its way.
//! There is no decision that takes back another's.

use crate::feature::hook::Decision;
use crate::feature::id::FeatureId;
use serde_json::Value;

/// A text of a decision, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The feature.
    pub feature: FeatureId,
    /// Its hook.
    pub hook: String,
    /// The text.
    pub text: String,
}

impl Said {
    /// The text with its author, as it is shown.
    pub fn attributed(&self) -> String {
        attributed(&self.feature, &self.text)
    }
}

/// A text with its author, as it is shown.
pub fn attributed(feature: &FeatureId, text: &str) -> String {
    format!("[{feature}] {text}")
}

/// What decisions come to so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Composed {
    /// The first denial; nothing that comes after it counts.
    pub denied: Option<Said>,
    /// Every question, in order.
    pub questions: Vec<Said>,
    /// The first answer.
    pub answer: Option<(FeatureId, Value)>,
}

/// How it goes on after a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// With the next hook.
    GoOn,
    /// No other hook makes a difference.
    Settled,
    /// With these arguments in the place of the others, if they may be.
    Rewrite(Value),
}

impl Composed {
    /// Adds the decision of a hook. One that means nothing before a call changes nothing: the catalog
    /// refuses it before it comes here.
    pub fn add(&mut self, feature: &FeatureId, hook: &str, decision: Decision) -> Next {
        let said = |text| Said { feature: feature.clone(), hook: hook.to_owned(), text };
        match decision {
            _ if self.denied.is_some() => return Next::Settled,
            Decision::Deny { reason } => {
                self.denied = Some(said(reason));
                return Next::Settled;
            }
            Decision::Ask { question } => self.questions.push(said(question)),
            Decision::Answer { value } => {
                self.answer.get_or_insert_with(|| (feature.clone(), value));
            }
            Decision::Rewrite { arguments } => return Next::Rewrite(arguments),
            Decision::Proceed
            | Decision::Stop { .. }
            | Decision::Replace { .. }
            | Decision::Again { .. } => (),
        }
        Next::GoOn
    }

    /// How much it holds the call back: 0 runs it, 1 answers in its place, 2 asks, 3 denies.
    #[cfg(test)]
    pub fn strictness(&self) -> u8 {
        match self {
            Self { denied: Some(_), .. } => 3,
            Self { questions, .. } if !questions.is_empty() => 2,
            Self { answer: Some(_), .. } => 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_decision() -> impl Strategy<Value = Decision> {
        prop_oneof![
            Just(Decision::Proceed),
            Just(Decision::Deny { reason: "no".into() }),
            Just(Decision::Ask { question: "sure?".into() }),
            any::<u8>().prop_map(|n| Decision::Answer { value: json!(n) }),
            any::<u8>().prop_map(|n| Decision::Rewrite { arguments: json!({ "n": n }) }),
        ]
    }

    fn composed(decisions: &[Decision]) -> Composed {
        let feature: FeatureId = "user:a".parse().expect("an id");
        let mut composed = Composed::default();
        for (index, decision) in decisions.iter().enumerate() {
            composed.add(&feature, &index.to_string(), decision.clone());
        }
        composed
    }

    proptest! {
        #[test]
        fn deny_over_ask_over_answer(decisions in prop::collection::vec(any_decision(), 0..8)) {
            let has = |name: &str| decisions.iter().any(|decision| decision.name() == name);
            let expected = match () {
                () if has("deny") => 3,
                () if has("ask") => 2,
                () if has("answer") => 1,
                () => 0,
            };
            prop_assert_eq!(composed(&decisions).strictness(), expected);
        }

        #[test]
        fn no_hook_takes_back_what_another_holds_back(
            decisions in prop::collection::vec(any_decision(), 0..8),
            one_more in any_decision(),
            at in 0..8_usize,
        ) {
            let before = composed(&decisions).strictness();
            let mut more = decisions.clone();
            more.insert(at.min(decisions.len()), one_more);
            prop_assert!(composed(&more).strictness() >= before);
        }

        #[test]
        fn the_first_denial_and_the_first_answer_stand(decisions in prop::collection::vec(any_decision(), 0..8)) {
            let composed = composed(&decisions);
            let first = |name: &str| decisions.iter().position(|decision| decision.name() == name);
            let denied = composed.denied.map(|said| said.hook);
            prop_assert_eq!(denied, first("deny").map(|index| index.to_string()));
            if first("deny").is_none() {
                let answer = decisions.iter().find_map(|decision| match decision {
                    Decision::Answer { value } => Some(value.clone()),
                    _ => None,
                });
                prop_assert_eq!(composed.answer.map(|(_, value)| value), answer);
            }
        }
    }
}
