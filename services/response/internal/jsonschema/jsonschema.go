// Package jsonschema checks a JSON value against a JSON schema of the usual
// keywords, as clients write them for models' answers:
//
//	type (a name or a list), enum, const,
//	properties, required, additionalProperties, minProperties, maxProperties,
//	items, prefixItems, minItems, maxItems, uniqueItems,
//	minLength, maxLength, pattern,
//	minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf,
//	anyOf, oneOf, allOf, not, $ref within the schema ("#", "#/$defs/x")
//
// Other keywords are ignored, "format" among them. A pattern is RE2: what only
// ECMA 262 knows (look-around, back references) makes the schema invalid.
// Lengths count characters.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// maxDepth bounds how deep schema and value may go into each other; a schema
// that refers to itself without end meets it.
const maxDepth = 200

// Schema is a compiled schema. It is read-only and safe for concurrent use.
type Schema struct {
	root     any
	patterns map[string]*regexp.Regexp
}

// Mismatch says where a value breaks its schema.
type Mismatch struct {
	// Path leads to the place, "$.items[2].age".
	Path string
	// Want is what the schema demands there.
	Want string
}

// Error is the path and the demand.
func (m *Mismatch) Error() string { return m.Path + ": " + m.Want }

// Compile reads a schema: an object, true or false.
func Compile(text string) (*Schema, error) {
	root, err := Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	s := &Schema{root: root, patterns: map[string]*regexp.Regexp{}}
	if err := s.compile(root, "#", 0); err != nil {
		return nil, err
	}
	return s, nil
}

// Parse reads one JSON value and nothing after it. Numbers keep their text.
func Parse(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return value, nil
}

// compile checks the parts of a schema whose form matters later, and compiles
// its patterns. It walks through schemas only, never through values such as
// those of enum.
func (s *Schema) compile(node any, at string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: nested too deep", at)
	}
	object, ok := node.(map[string]any)
	if !ok {
		if _, ok := node.(bool); ok {
			return nil
		}
		return fmt.Errorf("%s: a schema is an object, true or false", at)
	}
	if pattern, ok := object["pattern"].(string); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return fmt.Errorf("%s/pattern: not a pattern of RE2", at)
		}
		s.patterns[pattern] = re
	}
	if ref, ok := object["$ref"].(string); ok {
		if _, err := s.resolve(ref); err != nil {
			return fmt.Errorf("%s/$ref: %w", at, err)
		}
	}
	for _, keyword := range []string{"items", "additionalProperties", "not"} {
		if sub, ok := object[keyword]; ok {
			if list, isList := sub.([]any); keyword == "items" && isList {
				object["prefixItems"] = list // the form of older drafts
				delete(object, "items")
				continue
			}
			if err := s.compile(sub, at+"/"+keyword, depth+1); err != nil {
				return err
			}
		}
	}
	for _, keyword := range []string{"anyOf", "oneOf", "allOf", "prefixItems"} {
		list, _ := object[keyword].([]any)
		for i, sub := range list {
			if err := s.compile(sub, fmt.Sprintf("%s/%s/%d", at, keyword, i), depth+1); err != nil {
				return err
			}
		}
	}
	for _, keyword := range []string{"properties", "$defs", "definitions"} {
		named, _ := object[keyword].(map[string]any)
		for name, sub := range named {
			if err := s.compile(sub, at+"/"+keyword+"/"+name, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolve finds what a reference within the schema points to.
func (s *Schema) resolve(ref string) (any, error) {
	if ref == "#" {
		return s.root, nil
	}
	if !strings.HasPrefix(ref, "#/") {
		return nil, fmt.Errorf("%q: only references within the schema are followed", ref)
	}
	node := s.root
	for _, step := range strings.Split(ref[2:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch at := node.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, fmt.Errorf("%q leads nowhere", ref)
			}
			node = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil, fmt.Errorf("%q leads nowhere", ref)
			}
			node = at[i]
		default:
			return nil, fmt.Errorf("%q leads nowhere", ref)
		}
	}
	switch node.(type) {
	case map[string]any, bool:
		return node, nil
	}
	return nil, fmt.Errorf("%q does not lead to a schema", ref)
}

// Validate checks a value that Parse made. The error is a *Mismatch, the first
// one that was found.
func (s *Schema) Validate(value any) error {
	c := &checker{Schema: s}
	if m := c.check(s.root, value, "$", 0); m != nil {
		return m
	}
	return nil
}
