//! The natives as a whole: they answer as stock Rhai does, keep their bounds, and are reviewed.

#![allow(
    clippy::disallowed_methods,
    reason = "the tests evaluate natives alone, without a sandbox"
)]

use super::trial::{bounded, ours, stock};
use crate::limit::Limit;
use crate::script::meter::Spent;
use rhai::{Array, Dynamic, Engine, FnPtr, ImmutableString, Map};
use std::any::TypeId;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

/// What a script gives, as text; every error is the same.
fn answer(engine: &Engine, script: &str) -> String {
    match engine.eval::<Dynamic>(script) {
        Ok(value) => format!("{} {value:?}", value.type_name()),
        Err(_) => "error".to_owned(),
    }
}

fn same_as_stock(scripts: &[&str]) {
    let (stock, ours) = (stock(), ours());
    for script in scripts {
        let wanted = answer(&stock, script);
        assert_ne!(wanted, "error", "stock runs {script}");
        assert_eq!(answer(&ours, script), wanted, "{script}");
    }
}

#[test]
fn arrays_answer_as_in_stock_rhai() {
    same_as_stock(&[
        "[].len() + [1, 2].len + [1].len()",
        "[[].is_empty(), [1].is_empty()]",
        "let a = [1, 2, 3]; [a.get(0), a.get(-1), a.get(3), a.get(-9), [].get(0)]",
        "let a = [1, 2, 3]; a.set(0, 5); a.set(-1, 6); a.set(7, 7); a",
        "let a = []; a.push(1); a.push([2]); a += 3; a += [4]; a",
        "let a = [1]; a.append([2, 3]); a.append([]); a + [4] + []",
        "let a = [1, 2]; a.insert(0, 0); a.insert(-1, 9); a.insert(99, 5); a",
        "let a = []; a.insert(3, 1); a",
        "let a = [1]; a.pad(3, [0]); a.pad(2, 7); a.pad(-1, 7); a",
        "let a = [1, 2, 3, 4]; [a.pop(), a.shift(), a.remove(-1), a.remove(5), a]",
        "let a = []; [a.pop(), a.shift(), a.remove(0)]",
        "let a = [1, 2, 3]; a.clear(); a",
        "let a = [1, 2, 3]; a.truncate(2); a",
        "let a = [1, 2, 3]; a.truncate(-1); a",
        "let a = [1, 2, 3]; a.truncate(9); a",
        "let a = [1, 2, 3]; a.chop(2); a",
        "let a = [1, 2, 3]; a.chop(0); a",
        "let a = [1, 2, 3]; a.chop(9); a.reverse(); a",
        "let a = [1, 2, 3, 4, 5]; a.splice(1..3, [7, 8, 9]); a",
        "let a = [1, 2, 3, 4, 5]; a.splice(1..=3, []); a",
        "let a = [1, 2, 3, 4, 5]; a.splice(-2, 1, [0]); a.splice(99, 3, [1]); a.splice(0, -1, [4]); a",
        "let a = []; a.splice(3, 1, [1]); a",
        "let a = [1, 2, 3, 4, 5]; [a.extract(1..3), a.extract(1..=3), a.extract(-3, 2), a.extract(2), a.extract(9), a.extract(0, -1), a.extract(-99, 2)]",
        "let a = [1, 2, 3, 4, 5]; [a.extract(3..1), a.extract(-3..2), a.extract(-3..=1)]",
        "let a = [1, 2, 3, 4, 5]; [a.split(3), a]",
        "let a = [1, 2, 3, 4, 5]; [a.split(-2), a, a.split(0), a, a.split(4)]",
        "let a = [1, 2, 3]; a.for_each(|| this *= 2); a.for_each(|i| this += i); a",
        "[1, 2, 3].map(|x| x * 2)",
        "[1, 2, 3].map(|x, i| x * i)",
        "[1, 2, 3].map(|| this + 1)",
        "fn twice(x) { x * 2 } [1, 2, 3].map(Fn(\"twice\"))",
        "let k = 10; [1, 2, 3].map(|x| x * k)",
        "let k = 10; [1, 2, 3].map(|x, i| x * k + i)",
        "[1, \"2\", 3.0].map(Fn(\"to_string\"))",
        "[1, 2, 3, 4].filter(|x| x % 2 == 0)",
        "[1, 2, 3, 4].filter(|x, i| i > 1)",
        "[1, 2, 3, 4].filter(|| this > 3)",
        "[1, 2, 3].filter(|x| x)",
        "[[1, 2].contains(2), [1, \"a\"].contains('a'), [1].contains(1.0), [[1]].contains([1]), [].contains(1), 3 in [1, 2]]",
        "[[1, 2, 1].index_of(1), [1, 2, 1].index_of(1, 1), [1, 2, 1].index_of(1, -1), [1].index_of(5), [1].index_of(1, 9)]",
        "[[1, 2, 3].index_of(|x| x > 1), [1, 2, 3].index_of(|x| x > 1, 2), [1, 2].index_of(|x, i| i == 1), [1].index_of(|x| false)]",
        "[[1, 2, 3].find(|x| x > 1), [1, 2, 3].find(|x| x > 5), [1, 2, 3].find(|x| x > 1, 2)]",
        "[[1, 2, 3].find_map(|x| if x > 1 { x * 10 }), [1].find_map(|x| ()), [1, 2, 3].find_map(|x| x, -1)]",
        "[[1, 2].some(|x| x > 1), [1, 2].all(|x| x > 1), [].some(|x| true), [].all(|x| false)]",
        "let a = [1, 1, 2, 2, 1, \"a\", 'a', 1.0, 1]; a.dedup(); a",
        "let a = [1, 2, 3, 11, 12]; a.dedup(|a, b| a / 10 == b / 10); a",
        "[1, 2, 3].reduce(|sum, x| if sum == () { x } else { sum + x })",
        "[1, 2, 3].reduce(|sum, x| sum + x, 10)",
        "[1, 2, 3].reduce(|sum, x, i| sum + x * i, 10)",
        "[1, 2, 3].reduce(|sum| sum + this, 10)",
        "[\"a\", \"b\", \"c\"].reduce_rev(|text, x| text + x, \"\")",
        "[\"a\", \"b\", \"c\"].reduce_rev(|text, x, i| `${text}${x}${i}`, \"\")",
        "[].reduce(|sum, x| sum + x, 10)",
        "[].reduce(|sum, x| sum + x)",
        "[1, 2, 3].zip([4, 5], |x, y| x * y)",
        "[1, 2, 3].zip([4, 5, 6], |x, y, i| [x, y, i])",
        "let a = [3, 1, 2]; a.sort(); a",
        "let a = [3, 1, 2]; a.sort_desc(); a",
        "let a = [\"b\", \"a\", \"c\", \"\"]; a.sort(); a",
        "let a = [2.5, -1.0, 2.0]; a.sort(); a",
        "let a = [true, false, true]; a.sort_desc(); a",
        "let a = ['b', 'a']; a.sort(); a",
        "let a = [(), ()]; a.sort(); a",
        "let a = [3, 1, 2, 9, 7, 8, 5]; a.sort(|a, b| b - a); a",
        "let a = [3, 1, 2]; a.sort_by(|a, b| a < b); a",
        "let a = [[1, 'x'], [0, 'y'], [1, 'z'], [0, 'w']]; a.sort(|a, b| a[0] - b[0]); a",
        "let a = [3, 1, 2]; [a.order(), a.order_desc(), a.order(|a, b| b - a), a.order_by(|a, b| a - b), a]",
        "let a = [1, 2, 3, 4, 5]; [a.drain(|x| x % 2 == 0), a]",
        "let a = [1, 2, 3, 4, 5]; [a.drain(|x, i| i < 2), a]",
        "let a = [1, 2, 3, 4, 5]; [a.drain(1..3), a, a.drain(0..=1), a, a.drain(-1, 5), a, a.drain(0, 0)]",
        "let a = [1, 2, 3, 4, 5]; [a.retain(|x| x % 2 == 0), a]",
        "let a = [1, 2, 3, 4, 5]; [a.retain(1..4), a, a.retain(1..=1), a, a.retain(0, 0), a]",
        "[[1, [2]] == [1, [2]], [1] == [2], [1] != [1, 2], [1] == [1.0], [] == [], [1] == 1]",
        "[[1, 2] == [1, \"2\"], [()] == [()]]",
        "let n = 0; for (x, i) in [5, 6] { n += x * i; } n",
    ]);
}

#[test]
fn maps_answer_as_in_stock_rhai() {
    same_as_stock(&[
        "[#{}.len(), #{a: 1}.len(), #{}.is_empty()]",
        "let m = #{a: 1}; [m.contains(\"a\"), \"b\" in m, m.get(\"a\"), m.get(\"b\")]",
        "let m = #{a: 1}; m.set(\"a\", 2); m.set(\"b\", 3); m",
        "let m = #{a: 1, b: 2}; [m.remove(\"a\"), m.remove(\"x\"), m]",
        "let m = #{a: 1}; m.clear(); m",
        "let m = #{a: 1, b: 2}; m.mixin(#{b: 3, c: 4}); m += #{d: 5}; m",
        "#{a: 1, b: 2} + #{b: 3} + #{}",
        "let m = #{a: 1}; m.fill_with(#{a: 5, b: 6}); m",
        "[#{a: 1} == #{a: 1}, #{a: 1} == #{a: 2}, #{a: 1} != #{b: 1}, #{} == #{}, #{a: [1]} == #{a: [1]}, #{a: 1} == 1]",
        "let m = #{b: 2, a: 1}; [m.keys(), m.values(), #{}.keys()]",
        "#{a: 1, b: 2}.map(|k, v| k + v)",
        "#{a: 1, b: 2}.map(|k| k + this)",
        "#{a: 1, b: 2}.filter(|k, v| v > 1)",
        "#{a: 1, b: 2}.filter(|k| k == \"a\")",
        "let m = #{a: 1, b: 2, c: 3}; [m.drain(|k, v| v > 1), m]",
        "let m = #{a: 1, b: 2, c: 3}; [m.retain(|k, v| v > 1), m]",
        r##"#{a: 1, "b \" c": [1.5, "x\n", 'c', (), true, #{}], c: 1.0}.to_json()"##,
        "#{}.to_json()",
    ]);
}

#[test]
fn texts_answer_as_in_stock_rhai() {
    same_as_stock(&[
        r#""a" + 1 + 'c' + () + [1, "x"] + #{a: 1} + 2.0"#,
        r#"1 + "a" + "b""#,
        r#"'c' + "a""#,
        r#"() + "a" + ()"#,
        r#"let s = "a"; s += 1; s += "b"; s += 'c'; s += (); s += [1]; s.append(5); s"#,
        r#""banana" - "an""#,
        r#"["héllo".len(), "héllo".len, "héllo".bytes, "".len(), "".is_empty(), "a".is_empty]"#,
        r#"let s = "banana"; s.remove("an"); s.remove('b'); s"#,
        r#"let s = "banana"; s.remove(""); s.clear(); s"#,
        r#"let s = "héllo"; s.truncate(2); s"#,
        r#"let s = "héllo"; s.truncate(-2); s"#,
        r#"let s = "héllo"; s.truncate(20); s"#,
        r#"let s = "  a b "; s.trim(); s"#,
        r#"let s = "héé"; [s.pop(), s, s.pop(1), s, s.pop(9), s, s.pop(), s.pop(0)]"#,
        r#"let s = "abc"; let t = s; s.pop(); s.truncate(1); [s, t]"#,
        r#"["Straße".to_upper(), "ÀÉ".to_lower(), "".to_upper(), 'ß'.to_upper(), 'a'.to_upper(), 'Ä'.to_lower()]"#,
        r#"let s = "aB"; let c = 'x'; s.make_upper(); c.make_upper(); [s, c]"#,
        r#"let s = "aB"; let c = 'X'; s.make_lower(); c.make_lower(); [s, c]"#,
        r#"["abc".contains("bc"), "abc".contains('x'), "" in "abc", 'a' in "abc"]"#,
        r#"["abc".starts_with("ab"), "abc".starts_with('b'), "abc".ends_with("bc"), "abc".ends_with('c')]"#,
        r#"["héllo".index_of('l'), "héllo".index_of('l', 3), "héllo".index_of('l', -2), "héllo".index_of('x'), "".index_of('x'), "héllo".index_of('h', 9), "héllo".index_of('h', -99)]"#,
        r#"["héllo".index_of("lo"), "héllo".index_of("l", 3), "héllo".index_of("o", -1), "héllo".index_of("x"), "a".index_of(""), "abc".index_of("", 2)]"#,
        r#"["héllo".get(1), "héllo".get(-1), "héllo".get(9), "héllo".get(-9)]"#,
        r#"let s = "héllo"; s.set(1, 'e'); s.set(-1, 'é'); s.set(9, 'x'); s.set(-9, 'x'); s"#,
        r#"let s = "héllo"; [s.sub_string(1..3), s.sub_string(1..=3), s.sub_string(1, 2), s.sub_string(-3, 2), s.sub_string(2), s.sub_string(-2), s.sub_string(9), s.sub_string(0, 0), s.sub_string(-99, 2), s.sub_string(1, 99), s.sub_string(3..1)]"#,
        r#"let s = "héllo"; s.crop(1..4); s"#,
        r#"let s = "héllo"; s.crop(1..=2); s"#,
        r#"let s = "héllo"; s.crop(-3, 2); s"#,
        r#"let s = "héllo"; s.crop(2); s"#,
        r#"let s = "héllo"; s.crop(1, 0); s"#,
        r#"let s = "héllo"; s.crop(9, 1); s"#,
        r#"let s = "a-b-c"; s.replace("-", "++"); s.replace("c", 'd'); s.replace('a', "xy"); s.replace('b', 'z'); s"#,
        r#"let s = "abc"; s.replace("", "-"); s"#,
        r#"let s = "abc"; s.replace("x", "-"); s"#,
        r#"let s = "é"; s.pad(4, '-'); s.pad(2, '+'); s.pad(-1, '+'); s"#,
        r#"let s = "é"; s.pad(8, "abc"); s"#,
        r#"let s = ""; s.pad(10000, "abé"); s.pad(30001, "x"); s"#,
        r#"let s = "abc"; let t = s; s.pad(5, 'x'); [s, t]"#,
        r#"[max("a", "b"), min("a", "b"), max('a', 'b'), min('a', 'b'), max(1, 2.5)]"#,
        r#"["héllo".split(2), "héllo".split(-2), "héllo".split(0), "héllo".split(99), "héllo".split(-99)]"#,
        r#"["héy".to_chars(), "".to_chars()]"#,
        r#"[" a  b ".split(), "".split(), "a,b,,c".split(","), "abc".split(","), "abc".split(""), "".split(",")]"#,
        r#"["a,b,c".split(",", 2), "a,b,c".split(",", 1), "a,b,c".split(",", 0), "a,b,c".split(",", 99)]"#,
        r#"["a,b,c".split(','), "a,b,c".split(',', 2), "a,b,c".split(';'), "abc".split("", 2)]"#,
        r#"["a,b,c".split_rev(","), "a,b,c".split_rev(",", 2), "a,b,c".split_rev(','), "a,b,c".split_rev(',', 2), "abc".split_rev("")]"#,
        r#"let a = []; for c in "héy" { a.push(c); } a"#,
        r#"let a = []; for c in "héllo".chars() { a.push(c); } for c in "héllo".chars(1) { a.push(c); } for c in "héllo".chars(-2) { a.push(c); } a"#,
        r#"let a = []; for c in "héllo".chars(1..3) { a.push(c); } for c in "héllo".chars(1..=3) { a.push(c); } for c in "héllo".chars(1, 2) { a.push(c); } for c in "héllo".chars { a.push(c); } for c in "héllo".chars(9) { a.push(c); } for c in "héllo".chars(2, 0) { a.push(c); } a"#,
        r#"[parse_int(" 42 "), parse_int("-7"), parse_int("ff", 16), parse_float("1.5"), parse_float("1e3")]"#,
        "[255.to_hex(), 8.to_octal(), 5.to_binary(), (-1).to_hex()]",
        r#"["a" == "a", "a" != "b", "a" < "b", "b" <= "a", "a" > "b", "a" >= "a", 'a' == "a"]"#,
        r#"[print("a"), print(), debug("a"), debug(), print(1), debug('a')]"#,
        "let t = 5.to_string(); let u = [1].to_debug(); [t, u]",
    ]);
}

#[test]
fn the_rest_answers_as_in_stock_rhai() {
    same_as_stock(&[
        "let x = [1, 2]; let y = take(x); const Z = [1]; [x, y, take(Z), Z]",
        "let x = 1; x.tag = 7; set_tag(x, x.tag + 1); x.tag",
        "exit(5); 1",
        "exit(); 1",
        "let n = 0; for i in range(0, 10, 3) { n += i; } for i in 0..=3 { n += i; } n",
        "let n = 0; for i in range(1.0, 2.0, 0.25) { n += i; } n",
        "let n = 0; for b in bits(5, 0, 3) { if b { n += 1; } } n",
        "[1.sign(), (-2.5).abs(), 4.0.sqrt(), 7.is_odd(), 5.get_bit(0), 1.5.to_int(), 2.to_float(), 'a'.to_int()]",
        "[(0..5).contains(3), (0..5).start, (0..=5).end, (3..3).is_empty]",
        "let f = |x| x; [f.is_anonymous, Fn(\"foo\").name]",
    ]);
}

/// Runs a script under the default bounds.
fn run(script: &str) -> (Option<Limit>, Spent, String) {
    let engine = ours();
    let (text, spent) = bounded(|| answer(&engine, script));
    (spent.killed, spent, text)
}

/// The scripts end with a limit, soon, and without more memory than a small factor of the bound.
fn limited(scripts: &[&str]) {
    for script in scripts {
        let started = std::time::Instant::now();
        let (killed, spent, text) = run(script);
        assert!(killed.is_some(), "{script}: {}", &text[..text.len().min(200)]);
        assert!(spent.peak_memory < 128 << 20, "{script}: {spent:?}");
        assert!(started.elapsed().as_secs() < 5, "{script}: {:?}", started.elapsed());
    }
}

#[test]
fn output_that_is_a_multiple_of_the_input_is_bounded() {
    limited(&[
        "let a = []; a.pad(99999, 0); let b = []; b.pad(99999, a); b.len()",
        "let i = []; i.pad(9999, 0); let a = []; a.pad(1844674407370956, i); a.len()",
        "let a = []; a.pad(9223372036854775807, 0); 1",
        "let s = \"\"; s.pad(9223372036854775807, 'x'); 1",
        "let s = \"\"; s.pad(9223372036854775807, \"xyz\"); 1",
        "let s = \"\"; s.pad(99999999, 'x'); 1",
        "let s = \"\"; s.pad(1000000, 'a'); let t = \"\"; t.pad(1000000, 'b'); s.replace(\"a\", t); 1",
        "let s = \"\"; s.pad(1000000, 'a'); let t = \"\"; t.pad(1000000, 'b'); s.replace('a', t); 1",
        "let s = \"\"; s.pad(1000, 'a'); let t = \"\"; t.pad(1000000, 'b'); s.replace(\"\", t); 1",
        "let s = \"\"; s.pad(2000000, 'a'); s.split(\"\").len()",
        "let s = \"\"; s.pad(2000000, ' '); s += 'x'; s.split(' ').len()",
        "let s = \"\"; s.pad(4000000, 'a'); s.to_chars().len()",
        "let s = \"\"; s.pad(1000000, 'k'); let m = #{}; for i in 0..20 { m[s + i] = i; } m.keys().len()",
        "let s = \"\"; s.pad(1000000, 'k'); let m = #{}; for i in 0..10 { m[s + i] = i; } let a = []; a.pad(100, m); 1",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); a.to_string().len()",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); a.to_debug().len()",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); `${a}`.len()",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); (\"\" + a).len()",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); (a + \"\").len()",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); let t = \"\"; t += a; 1",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); print(a); 1",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); debug(a); 1",
        "let s = \"\"; s.pad(1000000, 'x'); let a = []; a.pad(9999, s); #{a: a}.to_json().len()",
        "let s = \"\"; s.pad(3000000, '\\x01'); #{s: s}.to_json().len()",
        "let s = \"\"; s.pad(6000000, 'ΐ'); s.to_upper().len()",
    ]);
}

#[test]
fn hidden_loops_are_bounded() {
    limited(&[
        "let s = \"\"; s.pad(1000000, 'x'); let t = \"\"; t.pad(1000000, 'x'); let a = []; a.pad(9999, s); loop { a.contains([t]); a.index_of(t + 'y'); }",
        "let s = \"\"; s.pad(1000000, 'x'); let t = \"\"; t.pad(1000000, 'x'); let a = []; a.pad(9999, s); let b = []; b.pad(9999, t); loop { a == b }",
        "let s = \"\"; s.pad(1000000, 'x'); let t = \"\"; t.pad(1000000, 'x'); let a = []; for i in 0..9999 { a.push(if i % 2 == 0 { s } else { t }); } loop { a.order(); }",
        "let s = \"\"; s.pad(1000000, 'x'); let t = \"\"; t.pad(1000000, 'x'); let a = []; for i in 0..9999 { a.push(if i % 2 == 0 { s } else { t }); } loop { let b = a; b.dedup(); }",
        "let a = []; a.pad(100000, 0); loop { a.contains(1) }",
        "let a = []; a.pad(100000, 0); loop { a.shift(); a.push(1); }",
        "let a = []; a.pad(100000, 0); loop { a.insert(0, 1); }",
        "let a = []; a.pad(100000, 0); loop { a.reverse(); }",
        "let a = []; a.pad(100000, 0); loop { let b = a; b.drain(|x| true); }",
        "let a = []; a.pad(100000, 0); loop { a.order(|a, b| 0); }",
        "let a = [2, 1, 3]; a.sort(|a, b| loop {}); 1",
        "let a = [2, 1, 3]; a.dedup(|a, b| loop {}); 1",
        "let a = [2, 1, 3]; a.for_each(|x| loop {}); 1",
        "let s = \"\"; s.pad(1000000, 'x'); let t = s + 'y'; loop { s.index_of(t); s.contains(t); }",
        "let s = \"\"; s.pad(1000000, 'x'); loop { s.len() }",
        "let s = \"\"; s.pad(1000000, 'é'); loop { s.sub_string(-2); s.get(-1); }",
        "let s = \"\"; s.pad(1000000, 'é'); loop { s.set(0, 'x'); }",
        "let s = \"\"; s.pad(1000000, 'x'); loop { s.to_upper(); s.split(); s.trim(); }",
        "let s = \"\"; s.pad(1000000, '0'); loop { parse_int(s); }",
        "let s = \"\"; s.pad(1000000, '0'); loop { parse_float(s); }",
        "let s = \"\"; s.pad(1000000, 'x'); loop { max(s, s + 'y'); }",
        "let m = #{}; for i in 0..10000 { m[`k${i}`] = i; } loop { m.keys(); m.values(); m == m; }",
        "let a = []; a.pad(1000, 0); loop { a.reduce(|acc, x| { acc.push(x); acc }, []); }",
    ]);
}

#[test]
fn a_long_sort_ends_in_time() {
    let started = std::time::Instant::now();
    let (killed, _, text) = run(
        "let a = []; for i in 0..30000 { a.push((i * 7919) % 30011); } a.sort(); a.sort_desc(); a.dedup(); a.len()",
    );
    assert_eq!((killed, text.as_str()), (None, "i64 30000"));
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn deep_and_cyclic_values_are_bounded() {
    let deep = "let a = []; for i in 0..500 { let b = take(a); a = [b]; }";
    let map = "let a = #{}; for i in 0..500 { let b = take(a); a = #{a: b}; }";
    let cycle = "let a = [1]; let f = || a; a[0] = f;";
    for build in [deep, map, cycle] {
        for act in [
            "a == a",
            "let b = [a, a]; b.sort(); 1",
            "[a].contains(a)",
            "[a].index_of(a)",
            "let b = [a, a]; b.dedup(); 1",
            "a.to_string().len()",
            "a.to_debug().len()",
            "print(a); 1",
            "`${a}`.len()",
            "(a + \"\").len()",
            "#{a: a}.to_json()",
            "let b = []; b.pad(10, a); b.len()",
            "[a, a].extract(0).len()",
            "[a].map(|x| 1)",
            "[a, a].filter(|x| true).len()",
            "#{a: a} == #{a: a}",
            "#{a: a}.values().len()",
        ] {
            let (killed, spent, _) = run(&format!("{build} {act}"));
            assert!(killed != Some(Limit::Time), "{build} {act}");
            assert!(spent.peak_memory < 64 << 20, "{build} {act}: {spent:?}");
        }
    }
}

#[test]
fn a_variable_in_use_never_panics_a_native() {
    for act in [
        "m.to_json()",
        "m.to_string()",
        "m == m",
        "m.values()",
        "m.map(|k, v| v)",
        "print(m)",
        "m.keys()",
        "[m].contains(m)",
        "m.filter(|k, v| m.len() > 0)",
    ] {
        let (killed, ..) = run(&format!("let m = #{{}}; let f = || m; m.f = f; {act}; 1"));
        assert_ne!(killed, Some(Limit::Time), "{act}");
    }
}

#[test]
fn an_inconsistent_comparer_never_panics() {
    for comparer in
        ["if (x * y) % 3 == 0 { 1 } else { -1 }", "1", "-1", "true", "false", "x % 2 - y % 3"]
    {
        let (killed, _, text) = run(&format!(
            "let a = []; for i in 0..500 {{ a.push((i * 7919) % 500); }} a.sort(|x, y| {comparer}); \
             a.sort(); [a.len(), a[0], a[499]]"
        ));
        assert_eq!((killed, text.as_str()), (None, "array [500, 0, 499]"), "{comparer}");
    }
}

#[test]
fn an_error_in_a_callback_leaves_the_array_as_it_was() {
    for act in [
        "a.sort(|x, y| throw \"no\")",
        "a.sort(|x, y| \"no\")",
        "a.dedup(|x, y| throw \"no\")",
        "a.drain(|x| if x == 2 { throw \"no\" } else { true })",
        "a.retain(|x| if x == 2 { throw \"no\" } else { false })",
    ] {
        let (_, _, text) = run(&format!(
            "let a = [3, 1, 2]; let caught = false; try {{ {act}; }} catch {{ caught = true; }} \
             [caught, a]"
        ));
        assert_eq!(text, "array [true, [3, 1, 2]]", "{act}");
    }
    let (_, _, text) = run(
        "let m = #{a: 1, b: 2}; try { m.drain(|k, v| if v == 2 { throw 1 } else { true }); } catch {} m",
    );
    assert_eq!(text, "map #{\"a\": 1, \"b\": 2}");
}

#[test]
fn what_is_left_out_is_not_there() {
    let ours = ours();
    for script in [
        "[1].map(\"to_string\")",
        "[1].filter(\"is_odd\")",
        "[1].some(\"is_odd\")",
        "[1].all(\"is_odd\")",
        "[1].sort(\"f\")",
        "[1, 1].dedup(\"f\")",
        "[1].drain(\"is_odd\")",
        "[1].retain(\"is_odd\")",
        "[1].reduce(\"f\")",
        "[1].reduce(\"f\", 1)",
        "[1].reduce_rev(\"f\")",
        "[1].reduce_rev(\"f\", 1)",
        "sleep(0)",
        "sleep(0.0)",
        "timestamp()",
        "parse_json(\"1\")",
        "get_fn_metadata_list()",
        "blob()",
        "\"a\".to_blob()",
    ] {
        let error = ours.eval::<Dynamic>(script).expect_err(script);
        assert!(error.to_string().starts_with("Function not found"), "{script}: {error}");
    }
    // A text is a value to look for, not the name of a function.
    assert_eq!(answer(&ours, "[1, \"is_odd\"].index_of(\"is_odd\")"), "i64 1");
    assert_eq!(answer(&ours, "[1, \"is_odd\"].index_of(\"is_odd\", 1)"), "i64 1");
}

#[test]
fn a_constant_is_not_changed() {
    let ours = ours();
    for script in [
        "const A = [1]; A.push(2)",
        "const A = [1]; A.sort()",
        "const A = [1]; A.take()",
        "const A = [1]; A.for_each(|x| 1)",
        "const M = #{}; M.set(\"a\", 1)",
        "const S = \"a\"; S.pad(5, 'x')",
        "const S = \"a\"; S.trim()",
        "const M = #{}; M.drain(|k, v| true)",
    ] {
        let error = ours.eval::<Dynamic>(script).expect_err(script).to_string();
        assert!(error.contains("constant"), "{script}: {error}");
    }
    assert_eq!(
        answer(&ours, "const A = [2, 1]; [A.len(), A.contains(1), A.order()]"),
        "array [2, true, [1, 2]]"
    );
}

/// The name of a type that a script can make a value of; `None` for the other types of numbers,
/// which no native gives and so no call can pass.
fn type_name(id: TypeId) -> Option<&'static str> {
    macro_rules! name {
        ($($kind:ty => $name:expr),+ $(,)?) => {
            $(if id == TypeId::of::<$kind>() { return $name; })+
        };
    }
    name! {
        i64 => Some("int"), f64 => Some("float"), bool => Some("bool"), char => Some("char"),
        () => Some("()"), ImmutableString => Some("string"), Array => Some("array"),
        Map => Some("map"), FnPtr => Some("Fn"), Dynamic => Some("any"),
        Range<i64> => Some("range"), RangeInclusive<i64> => Some("range="),
        Range<f64> => Some("range of floats"),
        i8 => None, u8 => None, i16 => None, u16 => None, i32 => None, u32 => None, u64 => None,
        i128 => None, u128 => None, f32 => None, Range<i8> => None, Range<u8> => None,
        Range<i16> => None, Range<u16> => None, Range<i32> => None, Range<u32> => None,
        Range<u64> => None, Range<i128> => None, Range<u128> => None,
    }
    Some("?")
}

/// Every function that a script can call, as `name(types)`.
fn signatures() -> BTreeSet<String> {
    let mut engine = Engine::new_raw();
    engine.register_global_module(super::package());
    engine
        .collect_fn_metadata(
            None,
            |info| {
                let types: Option<Vec<_>> =
                    info.metadata.param_types.iter().map(|&id| type_name(id)).collect();
                let signature = format!("{}({})", info.metadata.name, types?.join(", "));
                Some(signature.replace("get$", "get ").replace("set$", "set "))
            },
            true,
        )
        .into_iter()
        .collect()
}

#[test]
fn numbers_are_rounded_to_decimals() {
    let engine = ours();
    for (script, expected) in [
        ("(0.1 + 0.2).round(2)", "f64 0.3"),
        ("1.005.round(2)", "f64 1.01"),
        ("(-2.5).round(0)", "f64 -3.0"),
        ("1234.5678.round(3)", "f64 1234.568"),
        ("7.round(2)", "i64 7"),
        ("1.5.round(16)", "error"),
        ("7.round(-1)", "error"),
    ] {
        assert_eq!(answer(&engine, script), expected, "{script}");
    }
}

#[test]
fn every_native_is_reviewed() {
    let found: Vec<_> = signatures().into_iter().collect();
    let reviewed: Vec<_> = include_str!("reviewed.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let new: Vec<_> = found.iter().filter(|line| !reviewed.contains(line)).collect();
    let gone: Vec<_> = reviewed.iter().filter(|line| !found.contains(line)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "read what each new native costs and reaches, then add its line to reviewed.txt;\n\
         new:\n{}\ngone:\n{}",
        new.iter().map(|line| format!("{line}\n")).collect::<String>(),
        gone.iter().map(|line| format!("{line}\n")).collect::<String>(),
    );
}
