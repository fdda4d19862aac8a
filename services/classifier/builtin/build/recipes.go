package main

import (
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// recipe says how one head is made.
type recipe struct {
	config learn.TrainConfig
	// own makes the rows that the repository holds.
	own func() []learn.Row
	// public names the files of public rows; convert changes them where it is
	// not nil.
	public  []string
	convert func([]learn.Row) []learn.Row
}

var recipes = []recipe{
	{
		config: learn.TrainConfig{
			Head: "intent", Seed: 1, MaxBytes: 1 << 20,
			Source: "CLINC150 (Larson et al., EMNLP 2019)", Licence: "CC BY 3.0",
		},
		public: []string{"intent150.jsonl"},
	},
	{
		config: learn.TrainConfig{
			Head: "route", Seed: 1, MaxBytes: 400 << 10,
			Source:  "RouteLLM evaluation answers on MMLU and GSM8K (Mixtral-8x7B, GPT-4-1106)",
			Licence: "Apache-2.0; MMLU and GSM8K: MIT",
		},
		public: []string{"route_mmlu.jsonl", "route_gsm8k.jsonl"},
	},
}
