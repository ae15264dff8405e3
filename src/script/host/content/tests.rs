//! Blocks of content: what is made of them, and that they leave as a whole result alone.

use crate::script::host::trial::World;

fn run(script: &str) -> String {
    World::new(&[]).run(script).text
}

#[test]
fn blocks_are_looked_at_by_what_they_are() {
    let script = "let all = content::result([
            \"plain\", content::text(\"a\"), content::image(\"AAAA\", \"image/png\"), content::audio(\"AA==\", \"audio/wav\"),
            content::resource(\"a://b\", \"text/plain\", \"c\"), content::blob(\"a://b\", \"\", \"AAAA\"),
            content::link(\"a://b\", \"b\", #{ size: 3 }),
            content::annotated(content::text(\"d\"), #{ audience: [\"user\"], priority: 1 }),
        ], #{ n: 1 });
        let seen = [];
        for block in all.blocks { seen.push([block.kind, block.text, block.data, block.uri]); }
        [seen, all.structured.n, all.blocks.len()]";
    assert_eq!(
        run(script),
        r#"[[["text", "plain", (), ()], ["text", "a", (), ()], ["image", (), "AAAA", ()], ["audio", (), "AA==", ()], ["resource", "c", (), "a://b"], ["resource", (), "AAAA", "a://b"], ["resource_link", (), (), "a://b"], ["text", "d", (), ()]], 1, 8]"#
    );
}

#[test]
fn what_is_no_block_is_said() {
    for (script, said) in [
        ("content::image(\"A\", \"image/png\")", "the bytes are no base64"),
        ("content::image(\"A\\nAA\", \"image/png\")", "the bytes are no base64"),
        ("content::image(\"AAAA\", \"png\")", "no type of content"),
        ("content::audio(\"AAAA\", \"audio/\\n\")", "no type of content"),
        ("content::resource(\"b\", \"text/plain\", \"c\")", "no address"),
        ("content::link(\"a://b c\", \"c\")", "no address"),
        ("content::link(\"a://b\", \" \")", "the name is empty"),
        (
            "content::annotated(content::text(\"a\"), #{ audience: [\"all\"] })",
            "`all` is no audience",
        ),
        ("content::annotated(content::text(\"a\"), #{ priority: 2 })", "from 0.0 to 1.0"),
        ("content::result([1])", "`blocks[0]` is int"),
        ("json::stringify([content::text(\"a\")])", "leaves the script as the whole result"),
    ] {
        let text = run(script);
        assert!(text.contains(said), "{script}: {text}");
    }
}

#[test]
fn shared_blocks_are_counted_each_time() {
    let script = "let s = \"x\"; s.pad(1000000, 'x'); let b = content::text(s); let all = [];
        for n in 0..900 { all.push(b); } content::result(all).blocks.len()";
    let came = World::new(&[]).run(script);
    assert_eq!(came.text, "900");
    assert!(came.spent.peak_memory < 8 << 20, "{:?}", came.spent);
}
