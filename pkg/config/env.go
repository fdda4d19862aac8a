package config

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Field is one settable value of a configuration.
type Field struct {
	// Path is the key in the file, "session.idle_timeout".
	Path string
	// Variables are the names in the environment, the strongest last.
	Variables []string
	// Secret says that the value is never printed.
	Secret bool

	value reflect.Value
}

// Fields lists the settable values of target, a pointer to a struct, by path.
// Maps and lists of structs are one field each, without variables.
func Fields(target any, prefix string) []Field {
	fields := collect(target, prefix)
	sort.Slice(fields, func(i, j int) bool { return fields[i].Path < fields[j].Path })
	return fields
}

func collect(target any, prefix string) []Field {
	var out []Field
	walk(reflect.ValueOf(target).Elem(), "", prefix, &out)
	return out
}

func walk(v reflect.Value, path, prefix string, out *[]Field) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options := yamlName(f)
		if !f.IsExported() || name == "-" {
			continue
		}
		field := v.Field(i)
		key := join(path, name)
		if strings.Contains(options, "inline") {
			key = path
		}
		if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]() {
			walk(field, key, prefix, out)
			continue
		}
		leaf := Field{Path: key, Secret: f.Tag.Get("secret") == "true", value: field}
		if settable(field.Type()) {
			leaf.Variables = append(leaf.Variables, prefix+"_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_")))
			if extra := f.Tag.Get("env"); extra != "" {
				leaf.Variables = append(leaf.Variables, extra)
			}
		}
		*out = append(*out, leaf)
	}
}

func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64, reflect.Float64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	}
	return false
}

func (f Field) fromEnv(lookup func(string) (string, bool)) error {
	for _, name := range f.Variables {
		text, ok := lookup(name)
		if !ok || text == "" {
			continue
		}
		if err := set(f.value, text); err != nil {
			if f.Secret {
				return fmt.Errorf("%s: not a valid value: %w", name, err) // which tells what is wanted, not what was given
			}
			return fmt.Errorf("%s: %q: %w", name, text, err)
		}
	}
	return nil
}

func set(v reflect.Value, text string) error {
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("want a duration like 30s or 5m")
		}
		v.SetInt(int64(d))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("want true or false")
		}
		v.SetBool(b)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fmt.Errorf("want a whole number")
		}
		v.SetInt(n)
	case v.CanFloat():
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("want a number")
		}
		v.SetFloat(x)
	case v.Kind() == reflect.Slice:
		var list []string
		for _, item := range strings.Split(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		if len(list) == 0 {
			return fmt.Errorf("want values with commas between")
		}
		v.Set(reflect.ValueOf(list).Convert(v.Type()))
	}
	return nil
}
