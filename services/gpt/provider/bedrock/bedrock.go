// Package bedrock calls Amazon Bedrock: Converse and ConverseStream for turns,
// InvokeModel for vectors, and the lists of foundation models and inference
// profiles. Requests carry a Bedrock API key as a bearer token, or are signed
// with AWS credentials.
package bedrock

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/sigv4"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	codec "github.com/gptmesh/gptmesh/wire/bedrock"
)

// Kind is the adapter's name.
const Kind = "bedrock"

// Config sets up a Provider.
type Config struct {
	// Config is what all adapters share. BaseURL may be empty: then it is the
	// region's. A bearer token stands in Header.
	transport.Config
	// Region is where the models run: "us-east-1". Needed where requests are
	// signed or BaseURL is empty.
	Region string
	// Credentials sign requests. Without an AccessKeyID nothing is signed.
	Credentials sigv4.Credentials
	// Quirks are those of wire/bedrock, beside those that the adapter knows of
	// the makers of models.
	Quirks []string
	// Clock gives the time of signatures. Nil means time.Now.
	Clock func() time.Time
}

// Provider is Bedrock in one region. Use New.
type Provider struct {
	runtime *transport.Client // calls of models
	control *transport.Client // lists of models
	quirks  []string
}

var _ provider.Provider = (*Provider)(nil)

var regionForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)

// RuntimeURL is where the models of a region are called.
func RuntimeURL(region string) string {
	return "https://bedrock-runtime." + region + "." + suffix(region)
}

func controlURL(region string) string { return "https://bedrock." + region + "." + suffix(region) }

// suffix is the domain of a region's partition.
func suffix(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// New returns a provider. Where the base address is another than the region's
// own, lists of models are asked for there as well.
func New(cfg Config) (*Provider, error) {
	if cfg.Region != "" && !regionForm.MatchString(cfg.Region) {
		return nil, fmt.Errorf("%q is no region", cfg.Region)
	}
	if cfg.Region == "" && (cfg.BaseURL == "" || cfg.Credentials.AccessKeyID != "") {
		return nil, fmt.Errorf("a region is needed")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	base := strings.TrimRight(cfg.BaseURL, "/")
	if base == "" {
		base = RuntimeURL(cfg.Region)
	}
	control := base
	if cfg.Region != "" && base == RuntimeURL(cfg.Region) {
		control = controlURL(cfg.Region)
	}
	cfg.Config.Doer = &doer{
		next: cfg.Doer, scope: sigv4.Scope{Region: cfg.Region, Service: "bedrock"}, credentials: cfg.Credentials, clock: cfg.Clock,
		limits: eventstream.Limits{MaxEvent: cfg.MaxEvent},
	}
	cfg.Secrets = append(cfg.Secrets[:len(cfg.Secrets):len(cfg.Secrets)], cfg.Credentials.SecretAccessKey, cfg.Credentials.SessionToken)
	p := &Provider{quirks: cfg.Quirks}
	var err error
	cfg.Config.BaseURL = base
	if p.runtime, err = transport.New(cfg.Config); err != nil {
		return nil, err
	}
	cfg.Config.BaseURL = control
	if p.control, err = transport.New(cfg.Config); err != nil {
		return nil, err
	}
	return p, nil
}

// Info implements provider.Provider.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: p.runtime.Name(), Kind: Kind, BaseURL: p.runtime.BaseURL(), Wire: conversationv1.Wire_WIRE_BEDROCK_CONVERSE,
	}
}

// path is the address of a model's operation. Names of models have colons, and
// those that are ARNs have slashes.
func path(model, operation string) string {
	return "/model/" + strings.ReplaceAll(url.PathEscape(model), ":", "%3A") + "/" + operation
}

// Generate implements provider.Provider.
func (p *Provider) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	return p.refined(p.runtime.Generate(ctx, p, call, sink))
}

// Chat implements transport.Words.
func (p *Provider) Chat(call *provider.Call, chat *transport.Chat) error {
	operation := "converse"
	if call.Turn.GetStream() {
		operation = "converse-stream"
	}
	chat.Codec, chat.Path = codec.Converse(), path(call.Model, operation)
	chat.Options.Quirks = slices.Concat(p.quirks, quirksOf(call.Model))
	// Usage stands in the last event, behind the one that ends the message.
	chat.Done = func(event *eventstream.Event) bool { return bytes.HasPrefix(event.Data, []byte(`{"metadata":`)) }
	return nil
}
