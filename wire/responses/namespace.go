package responses

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

const (
	// namespaceTool is the type of a tool that holds others.
	namespaceTool = "namespace"
	// longestName is the longest name of a function that providers take.
	longestName = 64
)

// flatName is the name of a namespace's function where nobody knows namespaces:
// "crm__find". One that no provider would take ends with its hash.
func flatName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	flat := strings.TrimSuffix(namespace, "__") + "__" + name
	if len(flat) <= longestName {
		return flat
	}
	sum := sha256.Sum256([]byte(flat))
	mark := "_" + hex.EncodeToString(sum[:4])
	return strings.ToValidUTF8(flat[:longestName-len(mark)], "") + mark
}

// decodeNamespace decodes a tool that holds others: its functions and custom
// tools become tools under their flat names, tools of other types stay as they
// are.
func decodeNamespace(e *jsonbody.Value) (tools []*conversationv1.Tool, err error) {
	namespace := ""
	var held *jsonbody.Value
	if err := e.Members(func(name string, m *jsonbody.Value) (err error) {
		switch name {
		case "name":
			namespace, err = m.String()
		case "tools":
			held = m
		}
		return err
	}); err != nil {
		return nil, err
	}
	switch {
	case namespace == "":
		return nil, jsonbody.Malformed(e.Path()+".name", "is required")
	case held == nil:
		return nil, jsonbody.Malformed(e.Path()+".tools", "is required")
	}
	err = held.Elements(func(_ int, e *jsonbody.Value) error {
		tool, err := decodeTool(e)
		if err != nil {
			return err
		}
		if tool.GetName() != "" {
			tool.Name = flatName(namespace, tool.Name)
		}
		tools = append(tools, tool)
		return nil
	})
	return tools, err
}

// called is what a call's name stands for among the client's tools.
type called struct {
	namespace, name string
	custom          bool // a custom tool, which takes text
}

var toolKeys = jsonscan.NewKeys("type", "name", "tools")

// called finds the client's tool that is known by a name.
func (e *Echo) called(name string) called {
	if e == nil || name == "" || e.members[echoTools] == "" {
		return called{name: name}
	}
	tools := []byte(e.members[echoTools])
	if found, ok := findTool(tools, jsonscan.Span{End: len(tools)}, "", name); ok {
		return found
	}
	return called{name: name}
}

// findTool looks through the tools of a namespace, or through all of them. They
// were scanned with the body that they came in.
func findTool(body []byte, in jsonscan.Span, namespace, name string) (found called, ok bool) {
	_ = jsonscan.ForEachElement(body, in, func(m jsonscan.Member) bool {
		var members [3]jsonscan.Member
		if m.Kind != jsonscan.Object {
			return true
		}
		if _, err := jsonscan.ScanObject(body, m.Value, toolKeys, members[:]); err != nil {
			return true
		}
		kind, named := text(body, members[0]), text(body, members[1])
		switch {
		case kind == namespaceTool && namespace == "" && members[2].Kind == jsonscan.Array:
			found, ok = findTool(body, members[2].Value, named, name)
		case kind == texttool.WireType && (named == name || flatName(namespace, named) == name):
			found, ok = called{namespace: namespace, name: named, custom: true}, true
		case kind == "function" && namespace != "" && flatName(namespace, named) == name:
			found, ok = called{namespace: namespace, name: named}, true
		}
		return !ok
	})
	return found, ok
}
