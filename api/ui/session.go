package ui

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
	"time"
)

const (
	sessionCookie = "orchestrator_session"
	// maxSession limits a session; a revoked key ends it earlier.
	maxSession = 12 * time.Hour
)

// sessions seals API keys in cookies: AES-GCM with a secret that only the server has. The server stores nothing.
type sessions struct {
	seal cipher.AEAD
	path string
	now  func() time.Time
}

func newSessions(secret, basePath string, now func() time.Time) *sessions {
	key := sha256.Sum256([]byte("orchestrator session\x00" + secret))
	if secret == "" {
		_, _ = rand.Read(key[:]) // it never returns an error
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 32 bytes is valid
	}
	seal, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size that GCM needs
	}
	return &sessions{seal: seal, path: basePath + "/", now: now}
}

// cookie returns the cookie for a key. An empty key ends the session.
func (s *sessions) cookie(r *http.Request, key string) *http.Cookie {
	made := s.made(r, sessionCookie, key, maxSession) //nolint:gosec // made sets the attributes
	made.SameSite = http.SameSiteStrictMode
	return made
}

// made returns a cookie with sealed content. Empty content deletes it. SameSite is Lax: the browser sends it also when another
// site, such as an issuer, has led here.
func (s *sessions) made(r *http.Request, name, content string, life time.Duration) *http.Cookie {
	made := &http.Cookie{Name: name, Path: s.path, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: secure(r)} //nolint:gosec // Secure where the browser uses TLS
	if content == "" {
		made.MaxAge = -1
		return made
	}
	ends := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(life).Unix())) //nolint:gosec // a time after 1970
	nonce := make([]byte, s.seal.NonceSize())
	_, _ = rand.Read(nonce) // it never returns an error
	made.Value = base64.RawURLEncoding.EncodeToString(s.seal.Seal(nonce, nonce, append(ends, content...), []byte(name)))
	made.MaxAge = int(life.Seconds())
	return made
}

// secure reports whether the browser uses TLS, up to this server or up to a proxy in front of it.
func secure(r *http.Request) bool {
	return r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// key returns the key in the request's cookie, or "".
func (s *sessions) key(r *http.Request) string { return s.content(r, sessionCookie) }

// content returns what a cookie holds, or "".
func (s *sessions) content(r *http.Request, name string) string {
	found, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	sealed, err := base64.RawURLEncoding.DecodeString(found.Value)
	size := s.seal.NonceSize()
	if err != nil || len(sealed) < size {
		return ""
	}
	content, err := s.seal.Open(nil, sealed[:size], sealed[size:], []byte(name))
	if err != nil || len(content) < 8 || int64(binary.BigEndian.Uint64(content)) < s.now().Unix() { //nolint:gosec // sealed by this server
		return ""
	}
	return string(content[8:])
}
