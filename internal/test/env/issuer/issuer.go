// Package issuer is an issuer of OpenID Connect for tests. It signs real tokens, and checks PKCE.
package issuer

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

const (
	// ClientID and ClientSecret are those of its only client.
	ClientID     = "orchestrator"
	ClientSecret = "a secret"

	keyBits = 2048
)

// Issuer signs in every browser.
type Issuer struct {
	URL string

	mu     sync.Mutex
	claims map[string]any // beside those of every token
	key    *rsa.PrivateKey
	signer *rsa.PrivateKey // of the tokens
	asked  map[string]url.Values
}

// New starts an issuer that runs until the test ends.
func New(t testing.TB) *Issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatalf("generate a key: %v", err)
	}
	i := &Issuer{key: key, signer: key, asked: make(map[string]url.Values)}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", i.configuration)
	mux.HandleFunc("/keys", i.keys)
	mux.HandleFunc("/authorize", i.authorize)
	mux.HandleFunc("/token", i.token)
	served := httptest.NewServer(mux)
	t.Cleanup(served.Close)
	i.URL = served.URL
	return i
}

// Claim sets claims of later tokens, also in place of the right ones.
func (i *Issuer) Claim(claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.claims = claims
}

// Forge makes it sign with another key than it publishes.
func (i *Issuer) Forge(t testing.TB) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatalf("generate a key: %v", err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.signer = key
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client sees a broken answer
}

func (i *Issuer) configuration(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1",
		"n": encode(i.key.N.Bytes()), "e": encode(big.NewInt(int64(i.key.E)).Bytes()),
	}}})
}

func encode(content []byte) string { return base64.RawURLEncoding.EncodeToString(content) }

// authorize sends the browser back with a code.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	code := rand.Text()
	i.mu.Lock()
	i.asked[code] = query
	i.mu.Unlock()
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {query.Get("state")}}.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	i.mu.Lock()
	defer i.mu.Unlock()
	asked, known := i.asked[r.FormValue("code")]
	delete(i.asked, r.FormValue("code"))
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !known || id != ClientID || secret != url.QueryEscape(ClientSecret) || asked.Get("code_challenge_method") != "S256" ||
		asked.Get("code_challenge") != encode(challenge[:]) || asked.Get("redirect_uri") != r.FormValue("redirect_uri") {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	now := time.Now()
	claims := map[string]any{
		"iss": i.URL, "sub": "user-1", "aud": ClientID, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": asked.Get("nonce"),
	}
	maps.Copy(claims, i.claims)
	answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": i.signed(claims)})
}

// signed returns a JWT by RS256.
func (i *Issuer) signed(claims map[string]any) string {
	body, _ := json.Marshal(claims) // texts, numbers and lists
	text := encode([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + encode(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.signer, crypto.SHA256, sum[:])
	if err != nil {
		return ""
	}
	return text + "." + encode(signature)
}
