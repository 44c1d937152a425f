package portal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// tokens makes and checks the JSON Web Tokens of a session. They are signed
// with a secret of this process and end with it.
type tokens struct {
	secret [sha256.Size]byte
	now    func() time.Time
}

const (
	tokenLife  = 7 * 24 * time.Hour // Gravitee's default
	cookieName = "Auth-Graviteeio-APIM"
)

func newTokens(now func() time.Time) tokens {
	t := tokens{now: now}
	_, _ = rand.Read(t.secret[:]) // never fails
	return t
}

type claims struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
	Issued  int64  `json:"iat"`
	Expires int64  `json:"exp"`
}

var jwtHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"HS256"}`))

func (t *tokens) issue(user string) string {
	now := t.now()
	payload, _ := json.Marshal(claims{"gravitee-management-auth", user, now.Unix(), now.Add(tokenLife).Unix()})
	signed := jwtHeader + "." + base64.RawURLEncoding.EncodeToString(payload)
	return signed + "." + t.sign(signed)
}

func (t *tokens) sign(s string) string {
	mac := hmac.New(sha256.New, t.secret[:])
	mac.Write([]byte(s))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// user is who sent a request, by the Authorization header or by the cookie.
func (t *tokens) user(r *http.Request) (string, bool) {
	// The login calls the token's type BEARER; whoever sends that word is heard.
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		c, err := r.Cookie(cookieName)
		if err != nil {
			return "", false
		}
		token, _ = strings.CutPrefix(c.Value, "Bearer%20")
	}
	i := strings.LastIndexByte(token, '.')
	if i < 0 || !hmac.Equal([]byte(token[i+1:]), []byte(t.sign(token[:i]))) {
		return "", false
	}
	// Signed by us: what follows is our own header and claims.
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token[:i], jwtHeader+"."))
	var c claims
	if err != nil || json.Unmarshal(payload, &c) != nil || t.now().Unix() >= c.Expires {
		return "", false
	}
	return c.Subject, true
}

func cookie(value string, life time.Duration) string {
	return fmt.Sprintf("%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax", cookieName, value, int(life.Seconds()))
}
