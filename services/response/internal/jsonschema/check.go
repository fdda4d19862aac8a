package jsonschema

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSteps bounds the work of one check: branches of anyOf that refer to each
// other would double it at every level.
const maxSteps = 1_000_000

// checker is one check.
type checker struct {
	*Schema
	steps int
}

func (s *checker) check(node, value any, path string, depth int) *Mismatch {
	if s.steps++; depth > maxDepth || s.steps > maxSteps {
		return &Mismatch{path, "nested too deep to check"}
	}
	object, ok := node.(map[string]any)
	if !ok {
		if node == false {
			return &Mismatch{path, "want nothing here"}
		}
		return nil
	}
	if ref, ok := object["$ref"].(string); ok {
		target, err := s.resolve(ref)
		if err != nil {
			return &Mismatch{path, "the schema's reference " + err.Error()}
		}
		if m := s.check(target, value, path, depth+1); m != nil {
			return m
		}
	}
	if m := checkType(object["type"], value, path); m != nil {
		return m
	}
	if list, ok := object["enum"].([]any); ok && !slices.ContainsFunc(list, func(v any) bool { return equal(v, value) }) {
		return &Mismatch{path, "want one of " + text(list)}
	}
	if v, ok := object["const"]; ok && !equal(v, value) {
		return &Mismatch{path, "want " + text(v)}
	}
	if m := s.checkCombined(object, value, path, depth); m != nil {
		return m
	}
	switch value := value.(type) {
	case map[string]any:
		return s.checkObject(object, value, path, depth)
	case []any:
		return s.checkArray(object, value, path, depth)
	case string:
		return s.checkString(object, value, path)
	case json.Number:
		return checkNumber(object, value, path)
	}
	return nil
}

func (s *checker) checkCombined(object map[string]any, value any, path string, depth int) *Mismatch {
	if list, ok := object["allOf"].([]any); ok {
		for _, sub := range list {
			if m := s.check(sub, value, path, depth+1); m != nil {
				return m
			}
		}
	}
	if list, ok := object["anyOf"].([]any); ok {
		var first *Mismatch
		if !slices.ContainsFunc(list, func(sub any) bool {
			m := s.check(sub, value, path, depth+1)
			if m != nil && (first == nil || len(m.Path) > len(first.Path)) {
				first = m // the branch that went deepest tells most
			}
			return m == nil
		}) {
			if first != nil && len(first.Path) > len(path) {
				return first
			}
			return &Mismatch{path, "fits none of anyOf"}
		}
	}
	if list, ok := object["oneOf"].([]any); ok {
		fits := 0
		for _, sub := range list {
			if s.check(sub, value, path, depth+1) == nil {
				fits++
			}
		}
		if fits != 1 {
			return &Mismatch{path, fmt.Sprintf("fits %d of oneOf, want one", fits)}
		}
	}
	if sub, ok := object["not"]; ok && s.check(sub, value, path, depth+1) == nil {
		return &Mismatch{path, "fits what it must not"}
	}
	return nil
}

func checkType(want, value any, path string) *Mismatch {
	switch want := want.(type) {
	case string:
		if !isType(want, value) {
			return &Mismatch{path, "want " + want}
		}
	case []any:
		var names []string
		for _, w := range want {
			name, _ := w.(string)
			if isType(name, value) {
				return nil
			}
			names = append(names, name)
		}
		return &Mismatch{path, "want " + strings.Join(names, " or ")}
	}
	return nil
}

func isType(name string, value any) bool {
	switch value := value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case json.Number:
		if name == "integer" {
			f, err := value.Float64()
			return err == nil && f == math.Trunc(f) && !math.IsInf(f, 0)
		}
		return name == "number"
	}
	return false
}

func (s *checker) checkObject(schema, value map[string]any, path string, depth int) *Mismatch {
	if required, ok := schema["required"].([]any); ok {
		for _, r := range required {
			if name, ok := r.(string); ok {
				if _, there := value[name]; !there {
					return &Mismatch{path + "." + name, "is required"}
				}
			}
		}
	}
	if m := checkCount(schema, "minProperties", "maxProperties", len(value), path, "properties"); m != nil {
		return m
	}
	properties, _ := schema["properties"].(map[string]any)
	rest, hasRest := schema["additionalProperties"]
	for _, name := range slices.Sorted(maps.Keys(value)) { // sorted: the same answer names the same place
		at := path + "." + name
		if sub, ok := properties[name]; ok {
			if m := s.check(sub, value[name], at, depth+1); m != nil {
				return m
			}
		} else if hasRest {
			if rest == false {
				return &Mismatch{at, "is not allowed"}
			}
			if m := s.check(rest, value[name], at, depth+1); m != nil {
				return m
			}
		}
	}
	return nil
}

func (s *checker) checkArray(schema map[string]any, value []any, path string, depth int) *Mismatch {
	if m := checkCount(schema, "minItems", "maxItems", len(value), path, "items"); m != nil {
		return m
	}
	prefix, _ := schema["prefixItems"].([]any)
	items, hasItems := schema["items"]
	for i, v := range value {
		at := fmt.Sprintf("%s[%d]", path, i)
		if i < len(prefix) {
			if m := s.check(prefix[i], v, at, depth+1); m != nil {
				return m
			}
		} else if hasItems {
			if m := s.check(items, v, at, depth+1); m != nil {
				return m
			}
		}
	}
	if schema["uniqueItems"] == true {
		seen := make(map[string]bool, len(value))
		for i, v := range value {
			key := canonical(v)
			if seen[key] {
				return &Mismatch{fmt.Sprintf("%s[%d]", path, i), "stands twice"}
			}
			seen[key] = true
		}
	}
	return nil
}

func (s *checker) checkString(schema map[string]any, value, path string) *Mismatch {
	if m := checkCount(schema, "minLength", "maxLength", utf8.RuneCountInString(value), path, "characters"); m != nil {
		return m
	}
	if pattern, ok := schema["pattern"].(string); ok {
		if re := s.patterns[pattern]; re != nil && !re.MatchString(value) {
			return &Mismatch{path, "does not match " + pattern}
		}
	}
	return nil
}

func checkNumber(schema map[string]any, value json.Number, path string) *Mismatch {
	v, ok := rational(value)
	if !ok {
		return &Mismatch{path, "a number too large to check"}
	}
	for _, bound := range []struct {
		keyword, words string
		broken         func(cmp int) bool
	}{
		{"minimum", "at least", func(c int) bool { return c < 0 }},
		{"maximum", "at most", func(c int) bool { return c > 0 }},
		{"exclusiveMinimum", "more than", func(c int) bool { return c <= 0 }},
		{"exclusiveMaximum", "less than", func(c int) bool { return c >= 0 }},
	} {
		if limit, ok := rational(schema[bound.keyword]); ok && bound.broken(v.Cmp(limit)) {
			return &Mismatch{path, fmt.Sprintf("want %s %v", bound.words, schema[bound.keyword])}
		}
	}
	if step, ok := rational(schema["multipleOf"]); ok && step.Sign() > 0 && !new(big.Rat).Quo(v, step).IsInt() {
		return &Mismatch{path, fmt.Sprintf("want a multiple of %v", schema["multipleOf"])}
	}
	return nil
}

func checkCount(schema map[string]any, low, high string, n int, path, what string) *Mismatch {
	count := new(big.Rat).SetInt64(int64(n))
	if limit, ok := rational(schema[low]); ok && count.Cmp(limit) < 0 {
		return &Mismatch{path, fmt.Sprintf("want at least %v %s", schema[low], what)}
	}
	if limit, ok := rational(schema[high]); ok && count.Cmp(limit) > 0 {
		return &Mismatch{path, fmt.Sprintf("want at most %v %s", schema[high], what)}
	}
	return nil
}

// rational reads a JSON number exactly, so that 0.3 is a multiple of 0.1. A
// number beyond float64 is refused: as a fraction it would fill the memory.
func rational(v any) (*big.Rat, bool) {
	n, ok := v.(json.Number)
	if !ok || len(n) > 400 {
		return nil, false
	}
	f, err := n.Float64()
	if err != nil || f != 0 && math.Abs(f) < 1e-300 {
		return nil, false
	}
	if f == 0 && strings.ContainsAny(string(n), "eE") {
		return new(big.Rat), true
	}
	return new(big.Rat).SetString(string(n))
}

// equal compares as JSON schema does: numbers by value, objects without order.
func equal(a, b any) bool { return canonical(a) == canonical(b) }

func canonical(v any) string {
	switch v := v.(type) {
	case json.Number:
		if r, ok := rational(v); ok {
			return r.RatString()
		}
		return string(v)
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = canonical(e)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, fmt.Sprintf("%q:%s", name, canonical(v[name])))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprint(v)
}

// text shows a schema's value to people.
func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil || len(out) > 200 {
		return "a value of the schema"
	}
	return string(out)
}
