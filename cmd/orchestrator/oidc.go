package main

import (
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/server"
)

// oidcFlags are the flags of the sign-in by OpenID Connect.
type oidcFlags struct {
	Issuer           string    `env:"OIDC_ISSUER" placeholder:"URL" help:"Issuer of OpenID Connect where operators sign in for the page. Default: they need API keys."`
	ClientID         string    `env:"OIDC_CLIENT_ID" placeholder:"ID" help:"Client id at the issuer."`
	ClientSecret     string    `env:"OIDC_CLIENT_SECRET" placeholder:"SECRET" help:"Client secret at the issuer; none for a public client."`
	ClientSecretFile string    `env:"OIDC_CLIENT_SECRET_FILE" type:"path" placeholder:"FILE" help:"File that has the client secret."`
	RedirectURL      string    `env:"OIDC_REDIRECT_URL" placeholder:"URL" help:"Address that is registered at the issuer; default: /ui/oidc/callback at the host of the request."`
	RoleClaim        string    `default:"groups" env:"OIDC_ROLE_CLAIM" help:"Claim of the ID token that has the groups."`
	Roles            oidcRoles `env:"OIDC_ROLES" placeholder:"ROLE=GROUP,…" help:"Groups that have a role, such as viewer=staff,operator=oncall,admin=platform. A role may be there several times; the highest counts."`
}

func (f *oidcFlags) readFile() error {
	return fromFile("oidc-client-secret", &f.ClientSecret, &f.ClientSecretFile)
}

// apply sets the fields of the server's configuration.
func (f oidcFlags) apply(config *server.Config) {
	if f.Issuer == "" {
		return
	}
	config.SignIn = &server.SignInConfig{
		Issuer: f.Issuer, ClientID: f.ClientID, ClientSecret: f.ClientSecret, RedirectURL: f.RedirectURL, RoleClaim: f.RoleClaim, Roles: f.Roles,
	}
}

// oidcRoles are groups by role.
type oidcRoles map[string][]string

// UnmarshalText reads roles such as viewer=staff,operator=oncall.
func (r *oidcRoles) UnmarshalText(text []byte) error {
	roles := make(oidcRoles)
	for part := range strings.SplitSeq(string(text), ",") {
		role, group, found := strings.Cut(strings.TrimSpace(part), "=")
		if !found || role == "" || group == "" {
			return fmt.Errorf("%q: want ROLE=GROUP", part)
		}
		roles[role] = append(roles[role], group)
	}
	*r = roles
	return nil
}
