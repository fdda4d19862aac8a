package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	dateForm   = "20060102"
	timeForm   = "20060102T150405Z"
)

// Credentials are those of a principal.
type Credentials struct {
	// AccessKeyID names the key, SecretAccessKey is it.
	AccessKeyID, SecretAccessKey string
	// SessionToken belongs to keys that were lent for a time. May be empty.
	SessionToken string
}

// Field is one line of a header.
type Field struct{ Name, Value string }

// Request is what is signed.
type Request struct {
	// Method is "POST" and so on.
	Method string
	// Host is the Host field as it is sent, with a port where that has one.
	Host string
	// Path is the escaped path as it is sent. Empty means "/".
	Path string
	// Query is the escaped query as it is sent, without the question mark.
	Query string
	// Header are the fields to be signed beside Host and those that Sign
	// returns. Fields that a proxy may change do not belong here.
	Header []Field
	// Body is the whole body.
	Body []byte
}

// Scope is where a signature counts.
type Scope struct {
	// Region is "us-east-1" and so on.
	Region string
	// Service is the name of the service in signatures: "bedrock".
	Service string
}

// Sign returns the fields to be sent with a request that is made at a time:
// X-Amz-Date, X-Amz-Security-Token where there is a token, and Authorization.
// It is safe for concurrent use.
func Sign(request Request, scope Scope, credentials Credentials, at time.Time) []Field {
	at = at.UTC()
	added := []Field{{Name: "X-Amz-Date", Value: at.Format(timeForm)}}
	if credentials.SessionToken != "" {
		added = append(added, Field{Name: "X-Amz-Security-Token", Value: credentials.SessionToken})
	}
	fields := append([]Field{{Name: "Host", Value: request.Host}}, request.Header...)
	header, signed := canonicalHeader(append(fields, added...))
	canonical := strings.Join([]string{
		request.Method, canonicalPath(request.Path), canonicalQuery(request.Query), header, signed, hash(request.Body),
	}, "\n")
	day := at.Format(dateForm)
	place := strings.Join([]string{day, scope.Region, scope.Service, terminator}, "/")
	toSign := strings.Join([]string{algorithm, at.Format(timeForm), place, hash([]byte(canonical))}, "\n")
	signature := hex.EncodeToString(mac(signingKey(credentials.SecretAccessKey, day, scope), toSign))
	return append(added, Field{Name: "Authorization", Value: algorithm + " Credential=" + credentials.AccessKeyID + "/" + place +
		", SignedHeaders=" + signed + ", Signature=" + signature})
}

// signingKey is the secret as it counts for a day, a region and a service.
func signingKey(secret, day string, scope Scope) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, scope.Region, scope.Service, terminator} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// canonicalHeader is the fields sorted by name, those of one name as one, and
// the list of their names.
func canonicalHeader(fields []Field) (lines, names string) {
	values := map[string][]string{}
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		values[name] = append(values[name], strings.Join(strings.Fields(f.Value), " "))
	}
	sorted := make([]string, 0, len(values))
	for name := range values {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	var b strings.Builder
	for _, name := range sorted {
		b.WriteString(name + ":" + strings.Join(values[name], ",") + "\n")
	}
	return b.String(), strings.Join(sorted, ";")
}

func canonicalPath(path string) string {
	if path == "" {
		return "/"
	}
	return escape(path, true)
}

// canonicalQuery is the parameters sorted by name and value.
func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	var pairs [][2]string
	for _, pair := range strings.Split(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, [2]string{escape(unescape(name), false), escape(unescape(value), false)})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	joined := make([]string, 0, len(pairs))
	for _, pair := range pairs {
		joined = append(joined, pair[0]+"="+pair[1])
	}
	return strings.Join(joined, "&")
}

// unescape reads a parameter. What is badly escaped stands for itself.
func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// escape writes every byte but letters, digits and -._~ as %XX; slashes stay
// where they part a path.
func escape(text string, slashes bool) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '/' && slashes:
			b.WriteByte(c)
		default:
			b.WriteString(string([]byte{'%', digits[c>>4], digits[c&15]}))
		}
	}
	return b.String()
}
