//! What `html` does with ordinary pages, broken ones, and huge ones.

use crate::script::host::text::trial::{bounded, check, check_examples, check_refused, lateness};

fn markdown(page: &str, wanted: &str) {
    check(&format!("html::to_markdown({page:?})"), &format!("{wanted:?}"));
}

#[test]
fn examples_are_true() {
    check_examples("html", &super::module());
}

#[test]
fn pages_become_markdown() {
    markdown("", "");
    markdown("<p>a\n  b</p><p>c", "a b\n\nc");
    markdown("<h2>A <em>b</em></h2>c<h3></h3>d", "## A *b*\n\nc\n\nd");
    markdown(
        "<ul><li>a<li><p>b</p><p>c</p><ul><li>d</ul><li>e</ul>f",
        "- a\n- b\n\n  c\n\n  - d\n- e\n\nf",
    );
    markdown("<ol start=3><li>a<li>b</ol>", "3. a\n4. b");
    markdown("<blockquote><p>a<p>b</blockquote>c", "> a\n>\n> b\n\nc");
    markdown("<pre>\n  a\n\n&lt;b&gt;\n</pre>c", "```\n  a\n\n<b>\n```\n\nc");
    markdown("a <code>x y</code>, <b></b><b> </b>c<br>d<hr>e", "a `x y`, c\nd\n\n---\n\ne");
    markdown("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a | b\n1 | 2");
    markdown(
        "<a href='/x y'>a</a> <a href=javascript:x>b</a> <a href='#c'>c</a><a href=/d></a>",
        "[a](/x%20y) b c",
    );
    markdown("<a href=/x><div>a</div><p>b</p></a>", "[a b](/x)");
    markdown("<img alt='a cat' src=x><img src=y>", "a cat");
}

#[test]
fn what_nobody_sees_is_left_out() {
    markdown("<head><title>t</title><style>p{}</style></head>a<script>b</script><!-- c -->d", "ad");
    markdown("<svg><title>t</title></svg>a<select><option>b</select>c&shy;d", "acd");
    // What could drive a terminal, and what breaks words without being seen.
    check("html::to_text(\"a\\x1b[2J&#27;&#x200b;b\")", "\"a[2J&#27;b\"");
    check("html::to_text(\"<h1>A</h1><a href='/b'>b <i>c</i></a>\")", "\"A\\n\\nb c\"");
}

#[test]
fn the_main_part_may_be_taken_alone() {
    let main = |page: &str, wanted: &str| {
        check(&format!("html::to_markdown({page:?}, #{{ main: true }})"), &format!("{wanted:?}"));
    };
    main("<nav>n</nav><main><p>a<main>b</main>c</main>f", "a\n\nb\n\nc");
    main("<article>a</article>x<article>b</article>", "a\n\nb");
    main("<p>a", "a");
}

#[test]
fn links_lead_from_the_base() {
    check(
        "html::to_markdown(\"<a href='../c?a=1&amp;b=(2)'>x</a>\", #{ base: \"https://a.example/b/d\" })",
        "\"[x](https://a.example/c?a=1&b=%282%29)\"",
    );
    check_refused("html::to_markdown(\"\", #{ base: \"b\" })", "is no address");
    check_refused("html::to_markdown(\"\", #{ bse: \"b\" })", "did you mean `base`?");
}

#[test]
fn broken_pages_give_what_can_be_read() {
    markdown("a < b <3 </ p> <b>c", "a < b <3 **c**");
    markdown("<p title=\"x", "");
    markdown("</ul></b></a></pre></p>a", "a");
    markdown("<b><i>a</b>b</i>", "***a***b");
}

#[test]
fn attacks_are_linear_and_bounded() {
    for unit in [
        "<",
        "<a ",
        "<a href='",
        "<!--",
        "</",
        "&",
        "&amp",
        "<b>",
        "<ul><li>a",
        "<blockquote>a<br>",
        "<script>",
        "<a href=/>x",
        "<title>",
        "<pre>\n",
        "<td>",
        "<p a=b=c ",
    ] {
        let script = format!(
            "let s = text::repeat({unit:?}, 400000 / {}); html::to_markdown(s).len() + html::to_text(s).len()",
            unit.len()
        );
        let (killed, spent) = bounded(&script, 20_000_000, 64 << 20);
        assert!(killed.is_none(), "{unit}: {killed:?} after {} operations", spent.operations);
    }
    let late = lateness(
        "let s = text::repeat(\"<b>&amp;\", 500000); loop { html::to_markdown(s); html::unescape(s); html::title(s); }",
    );
    assert!(late < 500, "{late} ms");
}
