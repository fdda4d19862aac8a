// Package auth says who a caller is, from the key that it shows.
package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// Config says which keys are good.
type Config struct {
	// APIKeys are the clients' keys. Empty means that no key is asked for and
	// every caller is the principal "local".
	APIKeys []string `yaml:"api_keys" secret:"true"`
	// MeshSecret is what rooms show each other where no client certificate
	// does. Empty derives it from APIKeys, so that processes with the same keys
	// know each other. Without either it is [OpenSecret].
	MeshSecret string `yaml:"mesh_secret" secret:"true"`
}

// Validate says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	for i, key := range c.APIKeys {
		if strings.TrimSpace(key) == "" {
			return fmt.Errorf("api_keys[%d]: a key must not be blank", i)
		}
	}
	if c.MeshSecret != "" && len(c.MeshSecret) < 16 {
		return errors.New("mesh_secret: at least 16 characters")
	}
	return nil
}

// OpenSecret is what rooms show each other where nobody needs a key. It is no
// secret: it tells calls of rooms, which were counted where they came in and say for
// whom they are made, from those of clients.
const OpenSecret = "a room of a mesh without keys"

// Authenticator knows the good keys. It is immutable and safe for concurrent
// use.
type Authenticator struct {
	principals map[[sha256.Size]byte]callctx.Principal
	secret     string
	own        string // drawn at the start
}

// New makes an authenticator.
func New(config Config) (*Authenticator, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	a := &Authenticator{principals: make(map[[sha256.Size]byte]callctx.Principal, len(config.APIKeys)), secret: config.MeshSecret, own: rand.Text()}
	for _, key := range config.APIKeys {
		hash := sha256.Sum256([]byte(strings.TrimSpace(key)))
		a.principals[hash] = callctx.Principal{ID: "key:" + hex.EncodeToString(hash[:6]), Kind: callctx.Key}
	}
	if a.secret == "" && len(config.APIKeys) > 0 {
		sorted := slices.Clone(config.APIKeys)
		slices.Sort(sorted)
		mac := hmac.New(sha256.New, []byte("gptmesh mesh secret"))
		mac.Write([]byte(strings.Join(sorted, "\n")))
		a.secret = hex.EncodeToString(mac.Sum(nil))
	}
	if a.secret == "" {
		a.secret = OpenSecret
	}
	return a, nil
}

// Open says that no key is asked for.
func (a *Authenticator) Open() bool { return len(a.principals) == 0 }

// Authenticate says who shows key. Where no key is asked for, everyone is
// "local", whatever is shown: many clients insist on sending some key. Keys
// are compared by their hash, so that time tells nothing about them.
func (a *Authenticator) Authenticate(key string) (callctx.Principal, error) {
	if a.Open() {
		return callctx.Principal{ID: "local", Kind: callctx.Local}, nil
	}
	key = strings.TrimSpace(key)
	if key == "" {
		return callctx.Principal{}, fault.New(codes.Unauthenticated, meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED,
			"an API key is required: send it as \"Authorization: Bearer KEY\"")
	}
	principal, ok := a.principals[sha256.Sum256([]byte(key))]
	if !ok {
		return callctx.Principal{}, fault.New(codes.Unauthenticated, meshv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED, "this API key is not valid")
	}
	return principal, nil
}

// MeshSecret is what a room shows to other rooms.
func (a *Authenticator) MeshSecret() string { return a.secret }

// OwnSecret is what a process shows itself, over connections that do not leave it.
func (a *Authenticator) OwnSecret() string { return a.own }

// Room says whether secret is that of a room of this mesh.
func (a *Authenticator) Room(secret string) bool {
	if secret == "" {
		return false
	}
	return hmac.Equal([]byte(secret), []byte(a.secret)) || hmac.Equal([]byte(secret), []byte(a.own))
}

// Bearer takes the key out of the value of an Authorization header; "" where it
// is of another scheme. A bare key without a scheme is taken as it is.
func Bearer(header string) string {
	scheme, rest, found := strings.Cut(strings.TrimSpace(header), " ")
	switch {
	case !found && !strings.EqualFold(scheme, "Bearer"):
		return scheme
	case strings.EqualFold(scheme, "Bearer"):
		return strings.TrimSpace(rest)
	}
	return ""
}
