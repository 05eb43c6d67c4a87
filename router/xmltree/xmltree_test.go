package xmltree

import (
	"errors"
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`<a/>`, "<?xml version=\"1.0\"?>\n<a/>\n"},
		{`<?xml version='1.0' encoding='utf-8' standalone='yes'?><a x='1' xmlns='u' y="&quot;'"><b><c/></b></a>`, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<a xmlns="u" x="1" y="&quot;'">
  <b>
    <c/>
  </b>
</a>
`},
		{`<a>x<b><c/></b></a>`, "<?xml version=\"1.0\"?>\n<a>x<b><c/></b></a>\n"},
		{`<a>é<![CDATA[<]]>&amp;&#13;</a>`, "<?xml version=\"1.0\"?>\n<a>&#xE9;&lt;&amp;&#13;</a>\n"},
		{`<!--c--><p:a xmlns:p="u"><?x y?></p:a>`, "<?xml version=\"1.0\"?>\n<!--c-->\n<p:a xmlns:p=\"u\">\n  <?x y?>\n</p:a>\n"},
		{"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>é</a>\n"},
	} {
		d, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := d.String(); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, in := range []string{
		"", "text", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a/>x", "<a x='1' x='2'/>", "<a>&unknown;</a>", "<a x=1/>",
		`<?xml version="1.0" encoding="KOI8-R"?><a/>`,
		`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
	} {
		if d, err := Parse(in); err == nil {
			t.Errorf("%q is taken for %s", in, d)
		}
	}
	for _, in := range []string{
		strings.Repeat("<a>", MaxDepth+1) + strings.Repeat("</a>", MaxDepth+1),
		"<a>" + strings.Repeat("<b/>", MaxNodes) + "</a>",
		"<a>" + strings.Repeat("x", MaxSize) + "</a>",
	} {
		if _, err := Parse(in); !errors.Is(err, ErrLimit) {
			t.Errorf("%.20s…: %v, want the limit", in, err)
		}
	}
}

func TestTree(t *testing.T) {
	d, err := Parse(`<r xmlns="u" xmlns:q="v"><q:A id="1">x<b>y</b></q:A><a q:id="2"/><c/></r>`)
	if err != nil {
		t.Fatal(err)
	}
	r := d.Root()
	if n := len(r.Elements("a")); n != 2 {
		t.Errorf("elements a: %d", n)
	}
	a := r.Child("a")
	if id, ok := a.Attr("ID"); id != "1" || !ok || a.Content() != "xy" || r.Find("b").Content() != "y" || r.Find("z") != nil {
		t.Errorf("a: %q %v %q", id, ok, a.Content())
	}
	c := &Document{Nodes: []*Node{r.Elements("a")[1].Copy(true)}}
	if got, want := c.String(), "<?xml version=\"1.0\"?>\n<a xmlns=\"u\" xmlns:q=\"v\" q:id=\"2\"/>\n"; got != want {
		t.Errorf("copy: %s", got)
	}
	r.RemoveFunc(func(n *Node) bool { return n == a })
	r.Add(&Node{Kind: Text, Text: "1"})
	r.Add(&Node{Kind: Text, Text: "2"})
	r.Child("c").SetContent("<")
	if got, want := d.String(), "<?xml version=\"1.0\"?>\n<r xmlns=\"u\" xmlns:q=\"v\"><a q:id=\"2\"/><c>&lt;</c>12</r>\n"; got != want {
		t.Errorf("changed: %s", got)
	}
}

// TestNoUTF8: what was put in and is no UTF-8 does not end the printing.
func TestNoUTF8(t *testing.T) {
	for _, encoding := range []string{"", "UTF-8"} {
		n := &Node{Name: "a"}
		n.SetContent("x\xff")
		d := &Document{Encoding: encoding, Nodes: []*Node{n}}
		if again, err := Parse(d.String()); err != nil || again.Root().Content() != "x\uFFFD" {
			t.Errorf("encoding %q: %q, %v", encoding, d, err)
		}
	}
}

// FuzzParse: what is printed is read again, and printed the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`<a/>`, `<?xml version="1.0" encoding="UTF-8"?><p:a xmlns:p="u" b="&lt;&#10;"><c>x&amp;<![CDATA[<]]></c><!-- --><?x y?></p:a>`,
		`<!DOCTYPE a []><a/>`, "<a>\r\n\t</a>", `<presence entity="sip:a@b"><tuple id="1"><status><basic>open</basic></status></tuple></presence>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := Parse(s)
		if err != nil {
			return
		}
		once := d.String()
		if len(once) > MaxSize {
			return // references take more room
		}
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", s, once, err)
		}
		// A line that was put between elements is text when it is read.
		if twice := again.String(); twice != once {
			t.Fatalf("%q was printed as %q, then as %q", s, once, twice)
		}
	})
}
