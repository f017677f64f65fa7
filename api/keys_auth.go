package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// anonymous is the actor of callers without a key.
const anonymous = "anonymous"

type callerKey struct{}

// actor returns the name of the caller's key, for the saga's history.
func actor(ctx context.Context) string {
	if key, ok := ctx.Value(callerKey{}).(record.Key); ok {
		return key.Name
	}
	return anonymous
}

// holds reports whether the caller has the role.
func (s *service) holds(ctx context.Context, role record.Role) bool {
	key, _ := ctx.Value(callerKey{}).(record.Key)
	return s.Auth == AuthNone || key.Role.Includes(role)
}

// authorize passes requests whose key has the role of the route.
func (s *service) authorize(r route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		key, known := identityOf(ctx.Context())
		if s.Auth == AuthNone && !known {
			next(called(ctx, record.Key{Name: anonymous}))
			return
		}
		var err error
		if !known {
			key, err = s.authenticate(ctx.Context(), ctx.Header("Authorization"))
		}
		switch {
		case err != nil:
			s.refuse(ctx, err)
		case !key.Role.Includes(r.role):
			s.refuse(ctx, problem(resource.CodeForbidden, "This call requires a key with the role "+string(r.role)+"."))
		case r.unlimited && key.Scope != nil:
			s.refuse(ctx, problem(resource.CodeForbidden, "This call requires a key that is not limited to definitions."))
		default:
			if !known {
				ctx = huma.WithValue(ctx, credentialsKey{}, ctx.Header("Authorization"))
			}
			next(called(huma.WithValue(ctx, callerKey{}, key), key))
		}
	}
}

// credentialsKey is where the context of a call with a key has its Authorization header.
type credentialsKey struct{}

// refused returns an error once the key of a call that lasts is not valid any more. A database that does not answer refuses no call.
func (s *service) refused(ctx context.Context) error {
	header, keyed := ctx.Value(credentialsKey{}).(string)
	if !keyed {
		return nil
	}
	_, err := s.authenticate(ctx, header)
	if refusal, is := errors.AsType[*resource.Problem](err); is && refusal.Status == http.StatusUnauthorized {
		return refusal
	}
	return nil
}

// called returns the context of a call whose changes are audited.
func called(ctx huma.Context, key record.Key) huma.Context {
	if ctx.Method() == http.MethodGet || ctx.Method() == http.MethodHead {
		return ctx
	}
	caller := record.Caller{Actor: key.Name, KeyID: key.ID, RequestID: requestID(ctx.Context())}
	return huma.WithContext(ctx, record.WithCaller(ctx.Context(), caller))
}

func (s *service) authenticate(ctx context.Context, header string) (record.Key, error) {
	scheme, secret, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || !plausibleSecret(secret) {
		return record.Key{}, problem(resource.CodeUnauthorized, "Send a valid API key: Authorization: Bearer <key>.")
	}
	limited, cancel := context.WithTimeout(ctx, s.RequestTimeout)
	defer cancel()
	key, err := s.keyring.find(limited, secret)
	if errors.Is(err, record.ErrKeyNotFound) {
		return record.Key{}, problem(resource.CodeUnauthorized, "Send a valid API key: Authorization: Bearer <key>.")
	}
	return key, err
}

// keyLifetime is the time for which a valid key is cached. A revocation reaches every replica within this time.
const keyLifetime = 4 * time.Second

// keyCheck is how often a stream or a wait looks whether its key is still valid, in the cache or else in the database.
const keyCheck = time.Second

// maxCachedKeys bounds the cache of keys; a full cache is cleared.
const maxCachedKeys = 1000

// keyring finds keys by their secret and caches valid ones.
type keyring struct {
	keys   Keys
	now    func() time.Time
	logger *slog.Logger
	mutex  sync.Mutex
	cached map[[sha256.Size]byte]cachedKey
}

type cachedKey struct {
	key   record.Key
	until time.Time
}

func newKeyring(keys Keys, now func() time.Time, logger *slog.Logger) *keyring {
	return &keyring{keys: keys, now: now, logger: logger, cached: make(map[[sha256.Size]byte]cachedKey)}
}

// find returns the valid key with that secret. It searches by the hash of the secret, so that its duration reveals nothing
// about the secret.
func (k *keyring) find(ctx context.Context, secret string) (record.Key, error) {
	hash := sha256.Sum256([]byte(secret))
	if key, ok := k.cacheHit(hash); ok {
		return key, nil
	}
	key, err := k.keys.KeyByHash(ctx, hash[:])
	if err != nil {
		return record.Key{}, err
	}
	if !key.Accepts(hash[:], k.now()) {
		return record.Key{}, record.ErrKeyNotFound
	}
	k.use(ctx, &key)
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if len(k.cached) >= maxCachedKeys {
		clear(k.cached)
	}
	k.cached[hash] = cachedKey{key: key, until: k.now().Add(keyLifetime)}
	return key, nil
}

func (k *keyring) cacheHit(hash [sha256.Size]byte) (record.Key, bool) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	found, ok := k.cached[hash]
	return found.key, ok && k.now().Before(found.until) && found.key.Accepts(hash[:], k.now())
}

// useTimeout bounds the time that a request waits for the record of its key's use.
const useTimeout = 250 * time.Millisecond

// use records that the key is in use, once in record.KeyUseInterval. A failure does not matter to the request.
func (k *keyring) use(ctx context.Context, key *record.Key) {
	if k.now().Sub(key.LastUsedAt) < record.KeyUseInterval {
		return
	}
	limited, cancel := context.WithTimeout(ctx, useTimeout)
	defer cancel()
	if err := k.keys.UseKey(limited, key.ID); err != nil {
		k.logger.DebugContext(ctx, "the use of a key was not recorded", "key", key.ID, "error", err, "request_id", requestID(ctx))
	}
}

// forget clears the cache, so that a revocation takes effect in this process immediately.
func (k *keyring) forget() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	clear(k.cached)
}

// CheckExposure returns an error for an API without authentication on an address that other machines can reach.
func CheckExposure(auth Auth, address string, insecure bool) error {
	_, _, malformed := net.SplitHostPort(address)
	switch {
	case auth == AuthKeys || insecure:
		return nil
	case auth != AuthNone:
		return errors.New("authentication must be keys or none")
	case malformed != nil: // most often the port is missing: the advice below would not help
		return fmt.Errorf("listen address: want host:port, such as 127.0.0.1:8080: %w", malformed)
	case loopback(address):
		return nil
	default:
		return errors.New("without authentication every caller that reaches " + address +
			" may do everything: listen on 127.0.0.1, use --auth keys, or confirm with --insecure")
	}
}
