package compat

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
)

// cell is one cell of docs/compatibility.md, as tests/compat/node has it.
type cell struct {
	Title      string   `json:"title"`
	Versions   []string `json:"versions"`
	Face       string   `json:"face"`
	Capability string   `json:"capability"`
	Order      int      `json:"order"`
	Wire       string   `json:"wire"`
	Result     string   `json:"result"`
	Reason     string   `json:"reason,omitempty"`
}

// record appends the outcome to the file that COMPAT_RESULTS names, if it does.
func record(t *testing.T, c client, features []feature, outcome map[string]string) {
	path := os.Getenv("COMPAT_RESULTS")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	results := map[string]string{"passes": "passes", "FAILS": "fails"}
	reasons := map[string]string{"FAILS": "see go test ./tests/compat", "–": "the provider has no such thing"}
	for i, f := range features {
		for _, wire := range wires {
			got := outcome[f.name+wire.name]
			one := cell{c.title, versions(t, c.packages), c.face, f.name, i, wire.name, results[got], reasons[got]}
			if one.Result == "" {
				one.Result = "none"
			}
			line, err := json.Marshal(one)
			if err == nil {
				_, err = file.Write(append(line, '\n'))
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// versions are modules with the versions that this module has them in.
func versions(t *testing.T, modules []string) []string {
	list := []string{}
	file, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Error(err)
	}
	for _, module := range modules {
		found := regexp.MustCompile(regexp.QuoteMeta(module) + ` v(\S+)`).FindSubmatch(file)
		if found == nil {
			t.Errorf("%s is not in go.mod", module)
			continue
		}
		list = append(list, module+" "+string(found[1]))
	}
	return list
}
