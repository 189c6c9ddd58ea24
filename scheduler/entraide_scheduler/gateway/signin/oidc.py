"""OIDC: sign-in at an identity provider, by the authorization code flow with PKCE.

Out: an address to which the browser is sent. In: the provider's reply, and the sealed state that
the browser kept meanwhile in a cookie. The identity token is verified against the provider's keys.
Sources: OpenID Connect Core 1.0, 3.1; RFC 7636 (PKCE); RFC 9207 (issuer in the reply).
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import aiohttp
import msgspec
from cryptography.exceptions import InvalidTag
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from msgspec import Struct

from entraide.decoding import decode_json
from entraide.errors import error_for
from entraide_scheduler.config import OidcConfig, is_trusted_url
from entraide_scheduler.gateway.jobs import Sealer

STATE_VALID_S = 600.0
METADATA_VALID_S = 3_600.0
KEYS_VALID_S = 300.0
TIMEOUT_S = 10.0
REPLY_BYTES_MAX = 256 * 1024
LEEWAY_S = 60
PARAM_MAX_CHARS = 4_096
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
SCOPES = "openid email profile"
CALLBACK = "/v1/oidc/callback"


class ProviderMetadata(Struct, frozen=True):
    """What of a provider's configuration is used (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class TokenReply(Struct, frozen=True):
    """The reply of the token endpoint."""

    id_token: str


class SigninState(Struct, frozen=True):
    """What the browser keeps, sealed, while it is at the provider."""

    state: str
    nonce: str
    verifier: str
    expires_at: float


class OidcIdentity(Struct, frozen=True):
    """Who the provider says has signed in; ``email`` is "" unless the provider verified it."""

    issuer: str
    subject: str
    email: str


class OidcProvider:
    """One identity provider.

    Args:
        config: its settings.
        sealer: seals the state that a browser keeps; the same key at all gateways.
        pool_url: returns the address at which browsers reach the pool.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        config: OidcConfig,
        sealer: Sealer,
        pool_url: Callable[[], str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._sealer = sealer
        self._pool_url = pool_url
        self._now = now
        path = config.client_secret_file
        self._secret = Path(path).read_text("utf-8").strip() if path else ""
        self._metadata: tuple[float, ProviderMetadata] | None = None
        self._keys: tuple[float, KeySet] | None = None

    @property
    def name(self) -> str:
        """What the page calls it."""
        return self._config.name

    async def begin(self) -> tuple[str, str]:
        """Begins a sign-in; returns where the browser goes, and what it keeps in a cookie.

        Raises:
            EntraideError: ``oidc_unreachable``.
        """
        metadata = await self._read_metadata()
        kept = SigninState(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            expires_at=self._now() + STATE_VALID_S,
        )
        query = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPES,
            "state": kept.state,
            "nonce": kept.nonce,
            "code_challenge": challenge_of(kept.verifier),
            "code_challenge_method": "S256",
        }
        sealed = self._sealer.seal("oidc", "state", msgspec.json.encode(kept))
        glue = "&" if "?" in metadata.authorization_endpoint else "?"
        return (
            f"{metadata.authorization_endpoint}{glue}{urlencode(query)}",
            base64.urlsafe_b64encode(sealed).decode().rstrip("="),
        )

    async def finish(self, query: Mapping[str, str], cookie: str) -> OidcIdentity:
        """Returns who has signed in, from the provider's reply and the browser's cookie.

        Raises:
            EntraideError: ``oidc_refused`` or ``oidc_unreachable``.
        """
        kept = self._open_state(cookie)
        code, state = query.get("code", ""), query.get("state", "")
        issuer = query.get("iss", self._config.issuer)
        is_ours = hmac.compare_digest(state.encode(), kept.state.encode())
        if not code or len(code) > PARAM_MAX_CHARS or not is_ours or issuer != self._config.issuer:
            raise error_for("oidc_refused")
        token = await self._ask_for_token(code, kept.verifier)
        return await self._verify(token, kept.nonce)

    @property
    def _redirect_uri(self) -> str:
        return self._pool_url().rstrip("/") + CALLBACK

    def _open_state(self, cookie: str) -> SigninState:
        try:
            sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            opened = self._sealer.unseal("oidc", "state", sealed)
            kept = decode_json(opened, type=SigninState)
        except (ValueError, InvalidTag, msgspec.DecodeError):
            raise error_for("oidc_refused") from None
        if kept.expires_at <= self._now():
            raise error_for("oidc_refused")
        return kept

    async def _ask_for_token(self, code: str, verifier: str) -> str:
        metadata = await self._read_metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
            "client_id": self._config.client_id,
        }
        headers = self._credentials() if self._secret else {}
        reply = await _fetch("POST", metadata.token_endpoint, data=form, headers=headers)
        decoded: TokenReply = _decode(reply, TokenReply)
        return decoded.id_token

    def _credentials(self) -> dict[str, str]:
        """Returns the pool's own credentials (RFC 6749, 2.3.1)."""
        pair = f"{quote_plus(self._config.client_id)}:{quote_plus(self._secret)}"
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def _verify(self, token: str, nonce: str) -> OidcIdentity:
        """Returns the identity in a token, whose signature and claims are valid."""
        config = self._config
        try:
            decoded = jwt.decode(token, await self._read_keys(), algorithms=ALGORITHMS)
            registry = jwt.JWTClaimsRegistry(
                now=lambda: int(self._now()),
                leeway=LEEWAY_S,
                iss={"essential": True, "value": config.issuer},
                aud={"essential": True, "value": config.client_id},
                exp={"essential": True},
                nonce={"essential": True, "value": nonce},
                sub={"essential": True},
            )
            registry.validate(decoded.claims)
        except (JoseError, ValueError, KeyError, TypeError):
            raise error_for("oidc_refused") from None
        claims = decoded.claims
        subject, email = claims["sub"], claims.get("email")
        is_other = claims.get("azp", config.client_id) != config.client_id
        if not isinstance(subject, str) or len(subject) > PARAM_MAX_CHARS or is_other:
            raise error_for("oidc_refused")
        if claims.get("email_verified") is not True or not isinstance(email, str):
            email = ""
        return OidcIdentity(config.issuer, subject, email.strip().lower())

    async def _read_metadata(self) -> ProviderMetadata:
        if self._metadata is None or self._metadata[0] <= self._now():
            metadata = await read_metadata(self._config.issuer)
            self._metadata = (self._now() + METADATA_VALID_S, metadata)
        return self._metadata[1]

    async def _read_keys(self) -> KeySet:
        if self._keys is None or self._keys[0] <= self._now():
            reply = await _fetch("GET", (await self._read_metadata()).jwks_uri)
            keys = KeySet.import_key_set(_decode(reply, dict[str, Any]))
            self._keys = (self._now() + KEYS_VALID_S, keys)
        return self._keys[1]


async def read_metadata(issuer: str) -> ProviderMetadata:
    """Returns the configuration of the provider at an address.

    Raises:
        EntraideError: ``oidc_unreachable``, or ``oidc_refused`` if the provider refuses.
    """
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    metadata: ProviderMetadata = _decode(await _fetch("GET", url), ProviderMetadata)
    urls = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
    if metadata.issuer != issuer or not all(map(is_trusted_url, urls)):
        raise error_for("oidc_unreachable")
    return metadata


def challenge_of(verifier: str) -> str:
    """Returns the challenge of a PKCE verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _decode(reply: bytes, kind: Any) -> Any:
    try:
        return decode_json(reply, type=kind)
    except msgspec.DecodeError:
        raise error_for("oidc_unreachable") from None


async def _fetch(method: str, url: str, **options: Any) -> bytes:
    """Returns the body of the provider's reply.

    Raises:
        EntraideError: ``oidc_unreachable``; ``oidc_refused`` if the provider refuses.
    """
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, allow_redirects=False, **options) as reply,
        ):
            body = await reply.content.read(REPLY_BYTES_MAX + 1)
            while not reply.content.at_eof() and len(body) <= REPLY_BYTES_MAX:
                body += await reply.content.read(REPLY_BYTES_MAX + 1 - len(body))
    except (aiohttp.ClientError, OSError, TimeoutError) as problem:
        raise error_for("oidc_unreachable") from problem
    if reply.status in (400, 401, 403):
        raise error_for("oidc_refused")
    if reply.status != 200 or len(body) > REPLY_BYTES_MAX:
        raise error_for("oidc_unreachable")
    return body
