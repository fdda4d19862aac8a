package sigv4_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/sigv4"
)

var (
	keys  = sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	scope = sigv4.Scope{Region: "us-east-1", Service: "service"}
	at    = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
)

// The requests and signatures are those of the test suite that Amazon publishes
// for its SDKs (aws-sig-v4-test-suite); the last is the worked example of its
// guide.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	const host = "example.amazonaws.com"
	form := []sigv4.Field{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
	for name, tt := range map[string]struct {
		request sigv4.Request
		scope   sigv4.Scope
		headers string
		want    string
	}{
		"get-vanilla":                     {sigv4.Request{Method: "GET", Host: host, Path: "/"}, scope, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
		"get-vanilla-query-order-key":     {sigv4.Request{Method: "GET", Host: host, Path: "/", Query: "Param2=value2&Param1=value1"}, scope, "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
		"get-vanilla-empty-query-key":     {sigv4.Request{Method: "GET", Host: host, Path: "/", Query: "Param1=value1"}, scope, "host;x-amz-date", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
		"get-unreserved":                  {sigv4.Request{Method: "GET", Host: host, Path: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}, scope, "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
		"get-utf8":                        {sigv4.Request{Method: "GET", Host: host, Path: "/ሴ"}, scope, "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
		"get-header-key-duplicate":        {sigv4.Request{Method: "GET", Host: host, Path: "/", Header: []sigv4.Field{{Name: "My-Header1", Value: "value2"}, {Name: "My-Header1", Value: "value2"}, {Name: "My-Header1", Value: "value1"}}}, scope, "host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
		"get-header-value-trim":           {sigv4.Request{Method: "GET", Host: host, Path: "/", Header: []sigv4.Field{{Name: "My-Header1", Value: " value1"}, {Name: "My-Header2", Value: ` "a   b   c"`}}}, scope, "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
		"post-vanilla":                    {sigv4.Request{Method: "POST", Host: host, Path: ""}, scope, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
		"post-header-key-sort":            {sigv4.Request{Method: "POST", Host: host, Path: "/", Header: []sigv4.Field{{Name: "My-Header1", Value: "value1"}}}, scope, "host;my-header1;x-amz-date", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
		"post-x-www-form-urlencoded":      {sigv4.Request{Method: "POST", Host: host, Path: "/", Header: form, Body: []byte("Param1=value1")}, scope, "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
		"guide: ListUsers of IAM in 2015": {sigv4.Request{Method: "GET", Host: "iam.amazonaws.com", Path: "/", Query: "Action=ListUsers&Version=2010-05-08", Header: []sigv4.Field{{Name: "Content-Type", Value: "application/x-www-form-urlencoded; charset=utf-8"}}}, sigv4.Scope{Region: "us-east-1", Service: "iam"}, "content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fields := sigv4.Sign(tt.request, tt.scope, keys, at)
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + tt.scope.Service + "/aws4_request, SignedHeaders=" + tt.headers + ", Signature=" + tt.want
			if len(fields) != 2 || fields[0] != (sigv4.Field{Name: "X-Amz-Date", Value: "20150830T123600Z"}) || fields[1].Name != "Authorization" || fields[1].Value != want {
				t.Errorf("%+v\nwant %s", fields, want)
			}
		})
	}
}

// A lent key's token is sent and signed; vector post-sts-header-before.
func TestSessionToken(t *testing.T) {
	t.Parallel()
	lent := keys
	lent.SessionToken = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
	fields := sigv4.Sign(sigv4.Request{Method: "POST", Host: "example.amazonaws.com", Path: "/"}, scope, lent, at)
	if len(fields) != 3 || fields[1].Value != lent.SessionToken ||
		!strings.HasSuffix(fields[2].Value, "SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead") {
		t.Errorf("%+v", fields)
	}
}

// A path is encoded once more than it is sent, so that an escaped colon in it
// differs from a plain one.
func TestPathIsEncodedTwice(t *testing.T) {
	t.Parallel()
	sign := func(path string) string {
		return sigv4.Sign(sigv4.Request{Method: "POST", Host: "h", Path: path}, scope, keys, at)[1].Value
	}
	if sign("/model/a%3A0/converse") == sign("/model/a:0/converse") {
		t.Error("both are signed alike")
	}
}

func FuzzSign(f *testing.F) {
	f.Add("/model/a%3A0/converse", "b=%zz&&a", "v")
	f.Fuzz(func(t *testing.T, path, query, value string) {
		fields := sigv4.Sign(sigv4.Request{Method: "GET", Host: "h", Path: path, Query: query, Header: []sigv4.Field{{Name: "X", Value: value}}}, scope, keys, at)
		if _, signature, ok := strings.Cut(fields[1].Value, "Signature="); !ok || len(signature) != 64 {
			t.Errorf("%+v", fields)
		}
	})
}

func BenchmarkSign(b *testing.B) {
	request := sigv4.Request{Method: "POST", Host: "bedrock-runtime.us-east-1.amazonaws.com", Path: "/model/anthropic.claude%3A0/converse-stream", Body: make([]byte, 4<<10)}
	b.ReportAllocs()
	for b.Loop() {
		sigv4.Sign(request, scope, keys, at)
	}
}
