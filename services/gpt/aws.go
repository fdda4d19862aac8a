package gpt

import (
	"strings"

	"github.com/gptmesh/gptmesh/pkg/sigv4"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/provider/bedrock"
)

// aws is what a provider at Amazon needs beside a key: a region, and credentials
// where there is no key.
type aws struct {
	region      string
	credentials sigv4.Credentials
}

// settleAWS fills in Amazon's part of a setting: from the configuration, else
// from Amazon's own variables.
func (s *Service) settleAWS(o *setting) {
	env := func(given string, names ...string) string {
		for _, name := range names {
			if given == "" {
				given = strings.TrimSpace(s.deps.Getenv(name))
			}
		}
		return given
	}
	o.aws.region = env(o.cfg.Region, "AWS_REGION", "AWS_DEFAULT_REGION")
	switch {
	case o.key != "" || o.Auth == catalog.AuthNone:
	case o.cfg.AccessKeyID != "":
		o.aws.credentials = sigv4.Credentials{
			AccessKeyID: o.cfg.AccessKeyID, SecretAccessKey: o.cfg.SecretAccessKey, SessionToken: o.cfg.SessionToken,
		}
	default:
		o.aws.credentials = sigv4.Credentials{
			AccessKeyID: env("", "AWS_ACCESS_KEY_ID"), SecretAccessKey: env("", "AWS_SECRET_ACCESS_KEY"), SessionToken: env("", "AWS_SESSION_TOKEN"),
		}
	}
	if o.address == "" && o.aws.region != "" {
		o.address, o.official = bedrock.RuntimeURL(o.aws.region), true
	}
}

// missingAWS names the variable without which Amazon cannot be called.
func (o *setting) missingAWS() string {
	open := o.key != "" || o.Auth == catalog.AuthNone
	switch {
	case !open && o.aws.credentials.AccessKeyID == "":
		return "AWS_ACCESS_KEY_ID"
	case !open && o.aws.credentials.SecretAccessKey == "":
		return "AWS_SECRET_ACCESS_KEY"
	case o.aws.region == "" && (o.address == "" || !open):
		return "AWS_REGION"
	}
	return ""
}
