package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/ui"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/signin"
)

// SignInConfig configures the sign-in on the page by OpenID Connect.
type SignInConfig struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	RedirectURL  string              // registered at the issuer; default: /ui/oidc/callback at the host of the request
	RoleClaim    string              // claim of the ID token that has groups
	Roles        map[string][]string // by role (viewer, operator, admin): the groups that have it
}

func (c Config) checkSignIn() error {
	if c.SignIn == nil {
		return nil
	}
	if c.Auth == string(api.AuthNone) {
		return errors.New("OIDC: with auth none the page has no sign-in")
	}
	if at := c.SignIn.RedirectURL; at != "" {
		parsed, err := url.Parse(at)
		if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
			return errors.New("OIDC: redirect URL: want one such as https://sagas.example.com/ui/oidc/callback")
		}
	}
	if err := c.SignIn.provider().Validate(); err != nil {
		return fmt.Errorf("OIDC: %w", err)
	}
	return nil
}

func (c *SignInConfig) provider() signin.Config {
	return signin.Config{Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, RoleClaim: c.RoleClaim, Roles: c.Roles}
}

func (c Config) signIn() ui.SignIn {
	if c.SignIn == nil {
		return nil
	}
	return pageSignIn{signin.New(c.SignIn.provider())}
}

func (c Config) signInRedirect() string {
	if c.SignIn == nil {
		return ""
	}
	return c.SignIn.RedirectURL
}

// pageSignIn connects the page, the issuer and the API.
type pageSignIn struct{ provider *signin.Provider }

// Begin begins a sign-in.
func (p pageSignIn) Begin(ctx context.Context, redirect string) (location, pending string, err error) {
	location, begun, err := p.provider.Begin(ctx, redirect)
	if err != nil {
		return "", "", err
	}
	text, err := json.Marshal(begun)
	return location, string(text), err
}

// Finish ends it.
func (p pageSignIn) Finish(ctx context.Context, pending string, query url.Values) (string, error) {
	var begun signin.Pending
	if pending == "" || json.Unmarshal([]byte(pending), &begun) != nil {
		return "", errors.New("this browser has begun no sign-in, or too long ago")
	}
	who, err := p.provider.Finish(ctx, begun, query)
	if errors.Is(err, signin.ErrNoRole) {
		return "", fmt.Errorf("%w: %w", ui.ErrNotAllowed, err)
	}
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(who)
	return string(text), err
}

// As calls the API as an identity.
func (p pageSignIn) As(ctx context.Context, session string) (context.Context, bool) {
	var who signin.Identity
	if json.Unmarshal([]byte(session), &who) != nil || who.Role == "" {
		return ctx, false
	}
	return api.WithIdentity(ctx, "oidc:"+who.Subject, who.Name, record.Role(who.Role)), true
}
