package main

import (
	"fmt"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// recipe says how one head is made.
type recipe struct {
	config learn.TrainConfig
	// own takes the rows that the repository holds.
	own bool
	// public names the files of public rows; convert changes the rows of a
	// file where it is not nil.
	public  []string
	convert func(name string, rows []learn.Row) []learn.Row
}

// Where the data come from, and under which licence.
const (
	ownSource  = "templates written for this project"
	ownLicence = "Apache-2.0"

	clinc        = "CLINC150 (Larson et al., EMNLP 2019)"
	clincLicence = "CC BY 3.0"

	routeLLM        = "RouteLLM evaluation answers on MMLU and GSM8K (Mixtral-8x7B, GPT-4-1106)"
	routeLLMLicence = "Apache-2.0; MMLU and GSM8K: MIT"

	sweBench        = "SWE-bench texts with OpenAI's difficulty annotation"
	sweBenchLicence = "MIT, BSD-3-Clause"
)

var recipes = []recipe{
	own("task_type", 200<<10),
	{
		config: learn.TrainConfig{
			Head: "complexity", Seed: 1, MaxBytes: 80 << 10, Groups: learn.GroupsApart,
			Source: ownSource + "; " + sweBench, Licence: ownLicence + "; " + sweBenchLicence,
		},
		own: true, public: []string{"code_complexity.jsonl"}, convert: effort,
	},
	own("language", 160<<10),
	own("tools", 50<<10),
	own("vision", 50<<10),
	own("long_context", 50<<10),
	own("reasoning", 50<<10),
	{
		config: learn.TrainConfig{Head: "intent", Seed: 1, MaxBytes: 1 << 20, Source: clinc, Licence: clincLicence},
		public: []string{"intent150.jsonl"},
	},
	{
		config: learn.TrainConfig{Head: "route", Seed: 1, MaxBytes: 400 << 10, Source: routeLLM, Licence: routeLLMLicence},
		public: []string{"route_mmlu.jsonl", "route_gsm8k.jsonl"},
	},
	guard("injection", 320<<10),
	guard("jailbreak", 200<<10),
}

// own is a head of the repository's rows alone.
func own(head string, size int) recipe {
	return recipe{
		config: learn.TrainConfig{Head: head, Seed: 1, MaxBytes: size, Groups: learn.GroupsApart, Source: ownSource, Licence: ownLicence},
		own:    true,
	}
}

// guard is a head that looks for attacks: the repository's rows, and public
// texts as harmless ones.
func guard(head string, size int) recipe {
	return recipe{
		config: learn.TrainConfig{
			Head: head, Seed: 1, MaxBytes: size, Groups: learn.GroupsApart,
			Source:  ownSource + "; harmless texts: " + clinc + "; " + routeLLM + "; " + sweBench,
			Licence: ownLicence + "; " + clincLicence + "; " + routeLLMLicence + "; " + sweBenchLicence,
		},
		own:    true,
		public: []string{"intent150.jsonl", "route_mmlu.jsonl", "route_gsm8k.jsonl", "code_complexity.jsonl"}, convert: harmless,
	}
}

// harmless takes public rows for texts without an attack; every fourth of the
// many intents. A file is one group: thresholds hold for harmless texts of a
// kind that training did not see.
func harmless(name string, rows []learn.Row) []learn.Row {
	step := 1
	if len(rows) > 5000 {
		step = 4
	}
	var out []learn.Row
	for i := 0; i < len(rows); i += step {
		d := rows[i].Document
		d.Group = name
		out = append(out, learn.Row{Document: d, Label: "benign"})
	}
	return out
}

// effort turns SWE-bench's time to fix into complexities.
func effort(name string, rows []learn.Row) []learn.Row {
	labels := map[string]string{"<15 min fix": "simple", "15 min - 1 hour": "medium", "1-4 hours": "complex", ">4 hours": "complex"}
	for i := range rows {
		rows[i].Label = labels[rows[i].Label]
		rows[i].Group = fmt.Sprintf("%s/%d", name, i%50)
	}
	return rows
}
