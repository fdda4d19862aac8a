package gpt_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// bedrock answers lists of models and notes how requests prove who sends them.
func bedrock(t *testing.T, proof string) string {
	t.Helper()
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, proof) {
			t.Errorf("%s: %q, want %q", r.URL, got, proof)
		}
		io.WriteString(w, `{"modelSummaries":[{"modelId":"anthropic.claude-haiku-4-5-20251001-v1:0","modelName":"Haiku","outputModalities":["TEXT"],"inferenceTypesSupported":["ON_DEMAND"]}]}`)
	}))
}

func TestBedrockIsConfigured(t *testing.T) {
	t.Parallel()
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
	for name, tt := range map[string]struct {
		env    map[string]string
		config gpt.ProviderConfig
		proof  string
	}{
		"signed by the environment":    {keys, gpt.ProviderConfig{}, "AWS4-HMAC-SHA256 Credential=AKID/"},
		"signed by the configuration":  {nil, gpt.ProviderConfig{Region: "us-west-2", AccessKeyID: "OTHER", SecretAccessKey: "s"}, "AWS4-HMAC-SHA256 Credential=OTHER/"},
		"a key of Bedrock's own":       {map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "bk"}, gpt.ProviderConfig{}, "Bearer bk"},
		"the key counts, not the keys": {map[string]string{"AWS_BEARER_TOKEN_BEDROCK": "bk", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s"}, gpt.ProviderConfig{Region: "us-west-2"}, "Bearer bk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.config.BaseURL = bedrock(t, tt.proof)
			r := start(t, setup{env: tt.env, config: func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"bedrock": tt.config} }})
			model, reason := get(t, r, "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0")
			if reason != "" || model.GetProvider() != "bedrock" {
				t.Errorf("%v %s", model, reason)
			}
		})
	}
}

// What is missing is named, and Amazon's keys alone configure nothing.
func TestBedrockIsMissingSomething(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		env  map[string]string
		want string
	}{
		"no keys":      {nil, "PROVIDER_NOT_CONFIGURED AWS_ACCESS_KEY_ID"},
		"half the key": {map[string]string{"AWS_ACCESS_KEY_ID": "a"}, "PROVIDER_NOT_CONFIGURED AWS_SECRET_ACCESS_KEY"},
		"no region":    {map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "PROVIDER_NOT_CONFIGURED AWS_REGION"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{env: tt.env, config: func(c *gpt.Config) { c.Providers = map[string]gpt.ProviderConfig{"bedrock": {}} }})
			want, variable, _ := strings.Cut(tt.want, " ")
			_, err := r.GetModel(t.Context(), &gptv1.GetModelRequest{Model: "bedrock/x"})
			if f := fault.From(err); fault.ReasonName(f.Reason) != want || f.Metadata["variable"] != variable {
				t.Errorf("%v %v, want %s", f, f.Metadata, tt.want)
			}
		})
	}
}
