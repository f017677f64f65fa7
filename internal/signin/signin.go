// Package signin signs people in by OpenID Connect: the code flow with PKCE.
package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// Timeout bounds a request to the issuer.
	Timeout = 10 * time.Second
	// maxName is the longest name or subject in bytes.
	maxName = 255
)

// Config configures the sign-in. All fields but Client and Now are required.
type Config struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	RoleClaim    string              // the claim of the ID token that has groups, a text or a list of texts
	Roles        map[string][]string // by role: the groups that have it
	Client       *http.Client        // nil: one with Timeout
	Now          func() time.Time    // nil: time.Now
}

// Ranked returns the roles, the highest first.
func Ranked() []string { return []string{"admin", "operator", "viewer"} }

// Validate returns an error for a field that is missing or wrong.
func (c Config) Validate() error {
	issuer, err := url.Parse(c.Issuer)
	switch {
	case err != nil || issuer.Scheme != "https" && issuer.Scheme != "http" || issuer.Host == "":
		return errors.New("issuer: want a URL such as https://login.example.com")
	case c.ClientID == "":
		return errors.New("client id: is missing")
	case c.RoleClaim == "":
		return errors.New("role claim: is missing")
	case len(c.Roles) == 0:
		return errors.New("roles: want at least one, such as admin=platform-team")
	}
	for role, groups := range c.Roles {
		if !slices.Contains(Ranked(), role) {
			return fmt.Errorf("roles: %q is not viewer, operator or admin", role)
		}
		if len(groups) == 0 || slices.Contains(groups, "") {
			return fmt.Errorf("roles: %s has no group, or one without a name", role)
		}
	}
	return nil
}

// Pending is a sign-in that has begun. Keep it where only the browser that began it can bring it from.
type Pending struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
	Redirect string `json:"redirect"`
}

// Identity is the operator that the issuer has signed in.
type Identity struct {
	Subject string `json:"subject"`
	Name    string `json:"name"` // the email address, or the subject
	Role    string `json:"role"`
}

// Provider signs in at one issuer.
type Provider struct {
	config Config

	mu    sync.Mutex
	found *oidc.Provider // nil: not asked yet
}

// New returns a provider. It asks the issuer for its configuration at the first sign-in.
func New(config Config) *Provider {
	if config.Client == nil {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true} // sign-ins are rare
		config.Client = &http.Client{Timeout: Timeout, Transport: transport}
	}
	return &Provider{config: config}
}

func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		// The keys of the issuer are fetched later, with the client of this context, so it must not end.
		found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.config.Client), p.config.Issuer)
		if err != nil {
			return nil, fmt.Errorf("ask the issuer for its configuration: %w", err)
		}
		p.found = found
	}
	return p.found, nil
}

func (p *Provider) oauth(found *oidc.Provider, redirect string) oauth2.Config {
	return oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
}

// Begin returns the address at the issuer to which the browser goes, which then returns to redirect.
func (p *Provider) Begin(ctx context.Context, redirect string) (location string, pending Pending, err error) {
	found, err := p.discover(ctx)
	if err != nil {
		return "", Pending{}, err
	}
	pending = Pending{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Redirect: redirect}
	config := p.oauth(found, redirect)
	return config.AuthCodeURL(pending.State, oidc.Nonce(pending.Nonce), oauth2.S256ChallengeOption(pending.Verifier)), pending, nil
}

// ErrNoRole means that the identity is known but none of its groups has a role.
var ErrNoRole = errors.New("none of the groups has a role here")

// Finish returns the identity of the operator. query is what the issuer has added to the redirect.
func (p *Provider) Finish(ctx context.Context, pending Pending, query url.Values) (Identity, error) {
	if pending.State == "" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(pending.State)) != 1 {
		return Identity{}, errors.New("the state is not that of the sign-in which this browser has begun")
	}
	if code := query.Get("error"); code != "" {
		return Identity{}, fmt.Errorf("the issuer refuses: %s", clean(code))
	}
	found, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	config := p.oauth(found, pending.Redirect)
	token, err := config.Exchange(oidc.ClientContext(ctx, p.config.Client), query.Get("code"), oauth2.VerifierOption(pending.Verifier))
	if err != nil {
		return Identity{}, fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := found.Verifier(&oidc.Config{ClientID: p.config.ClientID, Now: p.config.Now}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, fmt.Errorf("verify the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(pending.Nonce)) != 1 {
		return Identity{}, errors.New("the nonce is not that of the sign-in")
	}
	return p.identity(verified)
}

func (p *Provider) identity(token *oidc.IDToken) (Identity, error) {
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return Identity{}, fmt.Errorf("read the claims: %w", err)
	}
	who := Identity{Subject: token.Subject, Name: token.Subject}
	if verified, given := claims["email_verified"]; !given || verified == true || verified == "true" {
		if email, _ := claims["email"].(string); email != "" {
			who.Name = email
		}
	}
	for _, text := range []string{who.Subject, who.Name} {
		if text == "" || len(text) > maxName || clean(text) != text {
			return Identity{}, fmt.Errorf("the subject or the email address is empty, longer than %d bytes, or not printable", maxName)
		}
	}
	groups := texts(claims[p.config.RoleClaim])
	for _, role := range Ranked() {
		if slices.ContainsFunc(groups, func(group string) bool { return slices.Contains(p.config.Roles[role], group) }) {
			who.Role = role
			return who, nil
		}
	}
	return Identity{}, fmt.Errorf("%s: %w", who.Name, ErrNoRole)
}

// texts returns a text, or the texts of a list.
func texts(claim any) (all []string) {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []any:
		for _, element := range claim {
			if text, is := element.(string); is {
				all = append(all, text)
			}
		}
	}
	return all
}

func clean(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, text)
}
