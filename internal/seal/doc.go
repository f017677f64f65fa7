// Package seal encrypts what the store keeps of payloads.
//
// A sealed value names its key, so that values under several keys can be read while one is current. Each scope, such as a
// saga, has a key of its own, derived from the master key: a random nonce of 96 bits is safe for 2^32 values under one key,
// which a busy database would reach in days.
package seal
