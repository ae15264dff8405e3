//! Questions: what ends a call, what an answer may be, and where nothing can be asked.

use super::*;
use crate::feature::question::Answers;
use crate::script::host::trial::{Came, World};
use serde_json::json;
use std::sync::Arc;

fn world(answers: &[Answer]) -> World {
    let mut world = World::new(&["ask", "fs:write=**"]);
    world.answers = answers.into();
    world
}

fn given(values: Value) -> Answer {
    match values {
        Value::Object(map) => Answer::Given(map),
        other => Answer::Given([(ONLY.to_owned(), other)].into_iter().collect()),
    }
}

fn run(script: &str, answers: &[Answer]) -> Came {
    world(answers).run(script)
}

/// A script that ends with a question.
fn asked(script: &str, answers: &[Answer]) -> Question {
    let came = run(script, answers);
    assert!(came.spent.asked && came.killed.is_none(), "{came:?}");
    came.question.unwrap_or_else(|| panic!("{script}: {}", came.text))
}

#[test]
fn a_question_without_an_answer_ends_the_call_and_no_script_can_catch_it() {
    for script in [
        "ask::confirm(\"Go on?\")",
        "try { ask::confirm(\"Go on?\") } catch { 1 }",
        "loop { try { ask::confirm(\"Go on?\") } catch {} }",
        "[2, 1].sort(|a, b| { ask::confirm(\"Go on?\"); 0 }); 1",
        "[1].map(|x| ask::confirm(\"Go on?\")); loop {}",
    ] {
        let question = asked(script, &[]);
        assert_eq!((question.text.as_str(), &question.wanted), ("Go on?", &Wanted::Consent));
        assert_eq!(question.feature.map(|id| id.to_string()).as_deref(), Some("builtin:trial"));
    }
}

#[test]
fn answers_are_taken_in_order_and_the_next_question_ends_the_call() {
    let script = "let who = ask::text(\"Who?\", #{ name: \"who\" });
        let size = ask::choose(\"Which size?\", [\"s\", \"m\"], #{ preset: \"m\" });
        let form = ask::form(`Hello ${who}`, #{ age: \"int(0..=150) = 30\", nick: \"string?\" });
        [who, size, form, ask::confirm(\"Sure?\")]";
    let all = [
        given(json!("Ada")),
        given(json!("s")),
        given(json!({ "age": 36 })),
        given(json!({ "more": 1 })),
    ];
    let first = asked(script, &[]);
    assert_eq!((first.text.as_str(), first.name.as_deref()), ("Who?", Some("who")));
    let second = asked(script, &all[..1]).to_form_schema();
    assert_eq!(
        second["properties"][ONLY],
        json!({ "type": "string", "enum": ["s", "m"], "default": "m" })
    );
    let third = asked(script, &all[..2]);
    assert_eq!(third.text, "Hello Ada");
    assert_eq!(third.to_form_schema()["required"], Value::Null);
    assert_eq!(asked(script, &all[..3]).text, "Sure?");
    let came = run(script, &all);
    assert_eq!(came.text, r#"["Ada", "s", #{"age": 36, "nick": ()}, true]"#);
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_again_a_few_times() {
    let script = "ask::form(\"How old?\", #{ age: \"int(0..=150)\" }).age";
    let wrong = given(json!({ "age": 200 }));
    let again = asked(script, std::slice::from_ref(&wrong));
    assert_eq!(again.text, "How old?\n(`age` must be `int(0..=150)`, not int 200)");
    let right = given(json!({ "age": 20 }));
    assert_eq!(run(script, &[wrong.clone(), right.clone()]).text, "20");
    let three = [wrong.clone(), wrong.clone(), wrong.clone()];
    asked(script, &three);
    let came = run(script, &[&three[..], std::slice::from_ref(&wrong)].concat());
    assert!(came.text.starts_with("ask/answer: the answer does not fit: `age`"), "{}", came.text);
    assert!(came.question.is_none() && !came.spent.asked);
}

#[test]
fn an_answer_has_a_bound() {
    let long = given(json!("x".repeat(2 << 20)));
    let again = asked("ask::text(\"Who?\")", &[long]);
    assert!(again.text.contains("more than 1048576 bytes"), "{}", again.text);
}

#[test]
fn no_and_nothing_are_errors_that_a_script_may_catch() {
    let text = |script: &str, answer: Answer| run(script, &[answer]).text;
    assert_eq!(text("ask::confirm(\"Go on?\")", Answer::Declined), "false");
    assert_eq!(
        text("ask::confirm(\"Go on?\")", Answer::Dismissed),
        "ask/dismissed: the person put the question aside: Go on?"
    );
    assert_eq!(
        text("ask::text(\"Who?\")", Answer::Declined),
        "ask/declined: the person said no to: Who?"
    );
    let caught = "let x = 0; try { ask::text(\"Who?\") } catch { x = 7; } x";
    assert_eq!(text(caught, Answer::Declined), "7");
}

#[test]
fn nothing_is_asked_after_an_act_and_in_a_hook_and_without_the_grant() {
    let yes = [given(json!({}))];
    let late = run("fs::write(\"a\", \"b\"); ask::confirm(\"Keep it?\")", &yes);
    assert!(late.text.starts_with("ask/too-late: "), "{late:?}");
    let hook = world(&yes).run_as_hook("ask::confirm(\"Go on?\")");
    assert!(hook.text.starts_with("ask/hook: `ask::confirm`"), "{hook:?}");
    let none = World::new(&[]).run("ask::confirm(\"Go on?\")");
    assert!(none.text.starts_with("grant/ask: "), "{none:?}");
}

#[test]
fn questions_are_bounded_in_number_and_size() {
    let many: Vec<Answer> = (0..30).map(|_| given(json!({}))).collect();
    let came = run("for n in 0..30 { ask::confirm(\"Again?\"); }", &many);
    assert!(came.text.starts_with("ask/too-many: "), "{came:?}");
    let long = run("ask::confirm(\"x\".repeat(9000))", &[]);
    assert!(long.text.contains("repeat"), "there is no such method: {long:?}");
    let long = run("let s = \"x\"; s.pad(9000, 'x'); try { ask::confirm(s) } catch { 1 }", &[]);
    assert_eq!(long.killed, Some(Limit::Notifications), "{long:?}");
}

#[test]
fn what_is_written_wrong_is_said() {
    for (script, said) in [
        ("ask::confirm(\" \")", "the question is empty"),
        ("ask::confirm(\"a\", #{ nam: \"b\" })", "there is no option `nam`"),
        ("ask::text(\"a\", #{ name: \"b c\" })", "`name` has up to 64 letters"),
        ("ask::choose(\"a\", [])", "there are 0 texts to choose from"),
        ("ask::choose(\"a\", [\"b\"], #{ preset: \"c\" })", "the default `\"c\"` does not fit"),
        ("ask::form(\"a\", #{})", "a form has 1 to 32 fields"),
        ("ask::form(\"a\", #{ b: 1 })", "the field `b` is an int"),
        ("ask::form(\"a\", #{ b: \"strin\" })", "strin"),
        ("ask::form(\"a\", #{ b: \"int 3\" })", "`3` stands behind the type of `b`"),
        ("ask::form(\"a\", #{ b: \"int = 3 4\" })", "`4` stands behind the default of `b`"),
        ("ask::form(\"a\", #{ b: \"string[]\" })", "no field of a form holds"),
        ("ask::form(\"a\", #{ b: #{ kind: \"int\" } })", "there is no option `kind`"),
        (
            "ask::form(\"a\", #{ b: #{ type: \"int\", preset: \"x\" } })",
            "the default `\"x\"` does not fit",
        ),
        ("ask::form(\"a\", #{ \"b.c\": \"int\" })", "`b.c` is no name of a field"),
        ("ask::answer(true)", "for functions with `@test` alone"),
    ] {
        let came = run(script, &[]);
        assert!(came.text.contains(said) && came.question.is_none(), "{script}: {}", came.text);
    }
}

#[test]
fn a_test_gives_the_answers_itself() {
    let run = |script: &str| world(&[]).run_as_test(script).text;
    assert_eq!(
        run("ask::answer(true); ask::answer(false); ask::answer(\"Ada\"); ask::answer(#{ n: 1 });
             let all = [ask::confirm(\"a\"), ask::confirm(\"b\"), ask::text(\"c\"), ask::form(\"d\", #{ n: \"int\" }).n];
             [all, ask::asked().map(|q| q.text), ask::asked()[3].fields]"),
        r#"[[true, false, "Ada", 1], ["a", "b", "c", "d"], ["n"]]"#
    );
    assert_eq!(
        run("ask::confirm(\"a\")"),
        "ask/no-answer: nobody is asked in a test, and this one has no answer to: a; \
         give it one before: `ask::answer(true)`"
    );
    assert!(run("ask::dismiss(); ask::confirm(\"a\")").starts_with("ask/dismissed: "));
    assert!(run("ask::decline(); ask::text(\"a\")").starts_with("ask/declined: "));
    assert!(run("ask::answer(\"c\"); ask::choose(\"a\", [\"b\"])").starts_with("ask/answer: "));
    assert!(run("ask::answer(3); ask::confirm(\"a\")").contains("no answer to yes or no"));
}

#[test]
fn a_question_is_no_leak() {
    let script = "let s = \"long\"; s.pad(4000, 'x'); ask::form(s, #{ a: \"string(..=80)\", b: \"int = 3\" })";
    let came = world(&[]).run(script);
    assert!(came.question.is_some() && came.spent.left_behind < 512, "{:?}", came.spent);
    let shared: Answers = Arc::new([given(json!({ "a": "x".repeat(80), "b": 7 }))]);
    let mut world = world(&[]);
    world.answers = shared;
    let came = world.run(script);
    assert!(came.spent.left_behind < 512 && came.text.starts_with("#{"), "{came:?}");
}
