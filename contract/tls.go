package contract

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// untrusted says what is wrong with the certificate of the service, "" when
// the error is about something else. A certificate is never drift: a proxy on
// the way, or a store of this machine, is as likely the cause.
func untrusted(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		hostname x509.HostnameError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority this machine does not trust (-ca names one)"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate is expired or not yet valid"
	case errors.As(err, &hostname):
		return "its certificate is for another host"
	case errors.As(err, &invalid), errors.As(err, &verify):
		return "its certificate is not valid"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS at that address"
	case strings.Contains(err.Error(), "tls: "):
		return "the TLS handshake fails"
	}
	return ""
}
