package transport

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxMessage bounds a provider's words that are passed on, in bytes; maxLooked those that
// are looked through.
const (
	maxMessage = 500
	maxLooked  = 16 << 10
)

var (
	keyLike = regexp.MustCompile(`(?i)\b(?:sk|pk|rk|gsk|xai|pplx|nvapi|csk|key|hf)[-_][A-Za-z0-9_*.-]{6,}|bearer\s+\S+|` +
		`\b(?:org-|proj_)[a-z0-9]{16,}|\bAKIA[A-Z0-9]{16}|\bAIza[A-Za-z0-9_-]{30,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+`)
	addressLike = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]{1,12}://[^\s"'<>()\[\]{}|\\]+|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b`)
)

// Clean makes a provider's message fit for clients: one line of bounded length
// without secrets, without anything that looks like a key, and without addresses of the
// operator's own network; of others the part stays that stands before a question mark.
func Clean(message string, secrets ...string) string {
	message = strings.ToValidUTF8(message[:min(len(message), maxLooked)], " ")
	for _, secret := range secrets {
		if secret != "" {
			message = strings.ReplaceAll(message, secret, "[key]")
		}
	}
	message = addressLike.ReplaceAllStringFunc(message, cleanAddress)
	message = keyLike.ReplaceAllString(message, "[key]")
	message = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, message)
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > maxMessage {
		cut := maxMessage
		for cut > 0 && !utf8.RuneStart(message[cut]) {
			cut--
		}
		message = message[:cut] + "…"
	}
	return message
}

// hidden stands for an address that clients must not see.
const hidden = "[address]"

func cleanAddress(text string) string {
	if !strings.Contains(text, "://") {
		host, _, err := net.SplitHostPort(text)
		if err != nil {
			host = text
		}
		if isInternal(host) {
			return hidden
		}
		return text
	}
	trimmed := strings.TrimRight(text, ".,;:!")
	u, err := url.Parse(trimmed)
	if err != nil || u.Host == "" || isInternal(u.Hostname()) {
		return hidden + text[len(trimmed):]
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath() + text[len(trimmed):]
}

// isInternal says that a host is, or may be, one of the operator's own network.
func isInternal(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return !ip.IsGlobalUnicast() || ip.IsPrivate()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	dot := strings.LastIndexByte(host, '.')
	if dot < 0 {
		return true // localhost, or a name of a container
	}
	switch host[dot:] {
	case ".local", ".internal", ".lan", ".localhost", ".svc", ".home", ".corp", ".intranet", ".arpa":
		return true
	}
	return false
}
