package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"sipd/ctl/plain"
)

type yamlForm struct {
	out     io.Writer
	columns []string
	rows    int
}

func (y *yamlForm) row(cells []any) error {
	fields := make([]Field, len(cells))
	for i, c := range cells {
		fields[i] = Field{y.columns[i], c}
	}
	y.rows++
	return writeYAML(y.out, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{fieldsNode(fields)}})
}

func (y *yamlForm) end() error {
	if y.rows > 0 {
		return nil
	}
	_, err := io.WriteString(y.out, "[]\n")
	return err
}

// writeYAML writes one node.
func writeYAML(out io.Writer, n *yaml.Node) error {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	_, err := out.Write(escapeYAML(b.Bytes()))
	return err
}

// escapeYAML writes as \u what the library leaves as it is and a terminal must
// not see. All of it stands in double quotes: see textNode.
func escapeYAML(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		if r == '\n' {
			out = append(out, '\n')
		} else {
			out = plain.AppendRune(out, r)
		}
	}
	return out
}

func fieldsNode(fields []Field) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range fields {
		m.Content = append(m.Content, textNode(f.Name), valueNode(f.Value))
	}
	return m
}

func valueNode(v any) *yaml.Node {
	switch v := v.(type) {
	case nil:
		return scalar("!!null", "null")
	case string:
		return textNode(v)
	case []byte:
		return textNode(string(v))
	case time.Time:
		return textNode(text(v))
	case bool:
		return scalar("!!bool", fmt.Sprint(v))
	case int, int32, int64, uint16, uint32, uint64:
		return scalar("!!int", fmt.Sprint(v))
	case []string:
		s := &yaml.Node{Kind: yaml.SequenceNode}
		for _, e := range v {
			s.Content = append(s.Content, textNode(e))
		}
		return s
	}
	return viaJSON(v)
}

// viaJSON gives the members of other types the names and the order that JSON
// has for them: JSON is YAML.
func viaJSON(v any) *yaml.Node {
	b, err := json.Marshal(v)
	if err != nil {
		return textNode(fmt.Sprint(v))
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil || len(doc.Content) == 0 {
		return textNode(string(b))
	}
	bare(doc.Content[0])
	return doc.Content[0]
}

// bare takes JSON's brackets off; texts keep their quotes.
func bare(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = 0
	}
	for _, c := range n.Content {
		bare(c)
	}
}

func scalar(tag, s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: s}
}

// textNode is a string on one line: quoted where anything in it needs it.
func textNode(s string) *yaml.Node {
	s = strings.ToValidUTF8(s, "\ufffd")
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	if strings.ContainsFunc(s, plain.Unsafe) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
