"""Django settings, read once per process from the environment and the home folder.

Every name a deployment may set is listed in README.md, section Settings. Secrets come as
files, never as environment values. Not here: limits and per-asset configuration, which
live in the database and change at run time.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from arbsite.home import REPOSITORY, current_home
from arbsite.logs import logging_config
from arbsite.processors import AUTO

HOME = current_home()
PORTS = HOME.ports()
BASE_DIR = REPOSITORY


def _flag(name: str) -> bool:
    return os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}


def _secret_key() -> str:
    named = os.environ.get("SPREADLINE_SECRET_KEY_FILE")
    if not named:
        return HOME.secret("secret_key")
    try:
        return Path(named).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"SPREADLINE_SECRET_KEY_FILE names {named}, which cannot be read: {error.strerror}"
        ) from error


# ---- the product --------------------------------------------------------------------

PROFILES: tuple[str, ...] = ("sim", "paper", "live")
SPREADLINE_PROFILE = os.environ.get("SPREADLINE_PROFILE", "sim")
if SPREADLINE_PROFILE not in PROFILES:
    raise ImproperlyConfigured(
        f"SPREADLINE_PROFILE is {SPREADLINE_PROFILE!r}; choose one of {', '.join(PROFILES)}."
    )
IS_SIM = SPREADLINE_PROFILE == "sim"
SPREADLINE_SCENARIO = os.environ.get("SPREADLINE_SCENARIO", "busy")
SPREADLINE_SEED = int(os.environ.get("SPREADLINE_SEED", "7"))
SPREADLINE_WEB_PORT = int(os.environ.get("SPREADLINE_WEB_PORT") or PORTS["web"])

_KRAKEN_SIM = f"127.0.0.1:{PORTS['kraken']}"
KRAKEN_REST_URL = os.environ.get(
    "KRAKEN_REST_URL", f"http://{_KRAKEN_SIM}" if IS_SIM else "https://api.kraken.com"
)
KRAKEN_WS_URL = os.environ.get(
    "KRAKEN_WS_URL", f"ws://{_KRAKEN_SIM}/v2" if IS_SIM else "wss://ws.kraken.com/v2"
)
KRAKEN_WS_AUTH_URL = os.environ.get(
    "KRAKEN_WS_AUTH_URL",
    f"ws://{_KRAKEN_SIM}/private/v2" if IS_SIM else "wss://ws-auth.kraken.com/v2",
)
KRAKEN_KEY_FILE = Path(os.environ.get("KRAKEN_KEY_FILE", HOME.path / "kraken_key.json"))
WALLET_FILE = Path(os.environ.get("WALLET_FILE", HOME.path / "wallet.json"))

_SOLANA_SIM = ";".join(
    f"{label}|{label}|http://127.0.0.1:{PORTS[port]}|ws://127.0.0.1:{PORTS[port]}"
    for label, port in (("sim-a", "solana_a"), ("sim-b", "solana_b"))
)


def _solana_endpoints(text: str) -> tuple[tuple[str, str, str, str], ...]:
    """Parse `label|provider|http url|ws url;…`."""
    endpoints: list[tuple[str, str, str, str]] = []
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        fields = tuple(field.strip() for field in part.split("|"))
        if len(fields) != 4 or not all(fields):
            raise ImproperlyConfigured(
                f"SOLANA_ENDPOINTS has {part!r}; write label|provider|http url|ws url, "
                "several separated by semicolons."
            )
        endpoints.append((fields[0], fields[1], fields[2], fields[3]))
    return tuple(endpoints)


SOLANA_CLUSTERS: tuple[str, ...] = ("mainnet", "devnet")
SOLANA_CLUSTER = os.environ.get("SOLANA_CLUSTER", "mainnet")
if SOLANA_CLUSTER not in SOLANA_CLUSTERS:
    raise ImproperlyConfigured(
        f"SOLANA_CLUSTER is {SOLANA_CLUSTER!r}; choose one of {', '.join(SOLANA_CLUSTERS)}."
    )


def _public_endpoints() -> str:
    """Helius where a key file is named, and the cluster's own public node as a second word."""
    node = "api.mainnet-beta.solana.com" if SOLANA_CLUSTER == "mainnet" else "api.devnet.solana.com"
    endpoints = [f"public|solana|https://{node}|wss://{node}"]
    if named := os.environ.get("HELIUS_KEY_FILE"):
        try:
            key = Path(named).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"HELIUS_KEY_FILE names {named}, which cannot be read: {error.strerror}"
            ) from error
        host = f"{SOLANA_CLUSTER}.helius-rpc.com/?api-key={key}"
        endpoints.insert(0, f"helius|helius|https://{host}|wss://{host}")
    return ";".join(endpoints)


# (label, provider, http url, ws url), in order of preference.
SOLANA_ENDPOINTS = _solana_endpoints(
    os.environ.get("SOLANA_ENDPOINTS") or (_SOLANA_SIM if IS_SIM else _public_endpoints())
)

# Program ids that differ from mainnet's, as `name=address,…` (whirlpool, cpmm, ammv4); for
# devnet, where some programs stand elsewhere.
SOLANA_PROGRAMS: dict[str, str] = {
    name.strip(): address.strip()
    for name, _, address in (
        part.partition("=") for part in os.environ.get("SOLANA_PROGRAMS", "").split(",") if part
    )
}

# ---- Jupiter: comparison quotes, and a fallback where a pool cannot be quoted ----------
JUPITER_URL = os.environ.get(
    "JUPITER_URL", f"http://127.0.0.1:{PORTS['jupiter']}" if IS_SIM else "https://api.jup.ag"
)
JUPITER_API = os.environ.get("JUPITER_API", "v2")
if JUPITER_API not in ("v1", "v2"):
    raise ImproperlyConfigured(f"JUPITER_API is {JUPITER_API!r}; choose v1 or v2.")
# A file with the API key; none means the keyless limit of the account's address.
JUPITER_API_KEY_FILE = os.environ.get("JUPITER_API_KEY_FILE", "")
JUPITER_RPS = float(os.environ.get("JUPITER_RPS", "0.5"))
# Whether a route may be signed at all, through which exchanges (Jupiter's names), and
# whether it must go through the market's own pool.
JUPITER_FALLBACK = os.environ.get("JUPITER_FALLBACK", "") in ("1", "true", "yes")
_JUPITER_DEXES = os.environ.get("JUPITER_DEXES", "Whirlpool,Raydium CP")
JUPITER_DEXES = tuple(filter(None, (part.strip() for part in _JUPITER_DEXES.split(","))))
JUPITER_PINNED = os.environ.get("JUPITER_PINNED", "1") in ("1", "true", "yes")
# How far below its quote a route may fill before the chain undoes it, and the most one may
# be worth: it answers a question of one size only, seconds apart.
JUPITER_SLIPPAGE_BPS = int(os.environ.get("JUPITER_SLIPPAGE_BPS", "10"))
JUPITER_MAX_USD = float(os.environ.get("JUPITER_MAX_USD", "500"))
# Seconds between two comparison quotes, over all markets in turn; 0 turns them off. Jupiter
# knows mainnet only.
JUPITER_SAMPLE_SECONDS = float(
    os.environ.get("JUPITER_SAMPLE_SECONDS", "60" if SOLANA_CLUSTER == "mainnet" else "0")
)

# Where a landing tip may go; none means no tips are sent.
SOLANA_TIP_ACCOUNTS = tuple(
    filter(None, (part.strip() for part in os.environ.get("SOLANA_TIP_ACCOUNTS", "").split(",")))
)

# More engine starts than this within ten minutes put the desk into OBSERVE; drills raise it.
SPREADLINE_MAX_ENGINE_STARTS = int(os.environ.get("SPREADLINE_MAX_ENGINE_STARTS", "3"))
# A standby takes the shard from an engine whose heartbeat has stood still for this long.
SPREADLINE_LEASE_SILENT_S = float(os.environ.get("SPREADLINE_LEASE_SILENT_S", "5"))
# A processor for the engine alone; `up` chooses one and tells the processes it starts.
ENGINE_CPU = os.environ.get("SPREADLINE_ENGINE_CPU", AUTO).strip().lower()
# Idle processors poll while an engine decides, where the kernel lets this user ask for it.
KEEP_AWAKE = os.environ.get("SPREADLINE_KEEP_AWAKE", "on").lower() not in {"off", "0", "no"}

# ---- recordings ---------------------------------------------------------------------

SPREADLINE_VERSION = "0.1.0.dev0"

# Raw market data and the engine's journal, each bounded; the oldest files go first.
RECORDING_ENABLED = os.environ.get("SPREADLINE_RECORDING", "on").lower() not in {"off", "0", "no"}
RECORDINGS = Path(os.environ.get("SPREADLINE_RECORDINGS", HOME.path / "recordings"))
JOURNALS = Path(os.environ.get("SPREADLINE_JOURNALS", HOME.path / "journals"))
RECORDING_MAX_GB = float(os.environ.get("SPREADLINE_RECORDING_MAX_GB", "5"))
JOURNAL_MAX_GB = float(os.environ.get("SPREADLINE_JOURNAL_MAX_GB", "5"))

# ---- Django -------------------------------------------------------------------------

SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS = [
    host.strip()
    for host in os.environ.get("SPREADLINE_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
    if host.strip()
]
ROOT_URLCONF = "arbsite.urls"
ASGI_APPLICATION = "arbsite.asgi.application"
AUTH_USER_MODEL = "arbsite.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False

# Every process imports these, and an engine that died is back only when it has: Daphne is
# started as a program, not as an app, and the admin's pages are found by the URL map.
INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "channels",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_prometheus",
    "django_celery_beat",
    "django_celery_results",
    "arbsite",
    "feeds",
    "risk",
    "inventory",
    "trading",
    "reports",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "arbsite.headers.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# ---- services -----------------------------------------------------------------------

DATABASE_URL = os.environ.get("DATABASE_URL") or HOME.database_url()
# Plain psycopg backend always: wrappers that replace ENGINE drop primary keys or break on
# a server without their extension.
_database: dict[str, Any] = dict(dj_database_url.parse(DATABASE_URL))
_database["ATOMIC_REQUESTS"] = False
if _flag("DATABASE_POOL"):
    # The web process runs each request in a thread of its own; without a pool every
    # request would pay a new connection. Other processes keep one connection per thread.
    _database.setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 8}
DATABASES = {"default": _database}

REDIS_URL = os.environ.get("REDIS_URL") or HOME.redis_url()
BUS_URL = os.environ.get("BUS_URL") or REDIS_URL

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "spreadline",
    }
}

CHANNEL_LAYERS = {
    "default": {
        # Half the latency of the core layer and no silent drop at a capacity.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # redis-py stops at 100 connections by default: a reconnect storm then gets 500s.
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "max_connections": 2000}],
            "prefix": "spreadline",
        },
    }
}

CELERY_BROKER_URL = REDIS_URL
CELERY_RESULT_BACKEND = "django-db"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = timedelta(days=7)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# A task comes back after its worker died when both have passed: invisible for longer than
# any task may run, then found by the sweep (throttled to every tenth poll by default).
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 10,
    "global_keyprefix": "spreadline:",
}

# ---- static files and the built console ---------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = HOME.static
CONSOLE_DIST = REPOSITORY / "frontend" / "dist"
# WhiteNoise serves the hashed assets of the console; `/` and deep links are a view's.
WHITENOISE_ROOT = CONSOLE_DIST if CONSOLE_DIST.is_dir() else None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False


def _is_immutable(path: str, url: str) -> bool:
    """Vite puts a content hash into every name below /assets/."""
    return url.startswith("/assets/")


WHITENOISE_IMMUTABLE_FILE_TEST = _is_immutable

# ---- identity and transport security -------------------------------------------------

IS_HTTPS = _flag("SPREADLINE_HTTPS")
SESSION_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "__Host-session" if IS_HTTPS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if IS_HTTPS else "csrf"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE: Literal["Lax", "Strict", "None"] = "Strict"
CSRF_COOKIE_SAMESITE: Literal["Lax", "Strict", "None"] = "Strict"
SESSION_COOKIE_AGE = 8 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_REDIRECT_EXEMPT = [r"^metrics$", r"^healthz$"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_TRUSTED_ORIGINS = [
    origin for origin in os.environ.get("SPREADLINE_TRUSTED_ORIGINS", "").split(",") if origin
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = ["arbsite.auth.backend.GuardedBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["arbsite.auth.tokens.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["arbsite.auth.permissions.NeedsWord"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["arbsite.parsers.StrictJSONParser"],
    "EXCEPTION_HANDLER": "arbsite.problems.answer_error",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": None,
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is 405; the schema is at /v1/schema
    "COERCE_DECIMAL_TO_STRING": True,
    "UNICODE_JSON": True,
    "STRICT_JSON": True,
}

SIMPLE_JWT: dict[str, Any] = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    # Rotation, reuse and revocation are the session row's (arbsite.auth.services).
    "REFRESH_TOKEN_LIFETIME": timedelta(hours=12),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": SECRET_KEY,
    "AUDIENCE": "spreadline",
    "ISSUER": "spreadline",
    "UPDATE_LAST_LOGIN": False,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Spreadline API",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    # The structs' schemas are JSON Schema 2020-12, which OpenAPI speaks since 3.1.
    "OAS_VERSION": "3.1.0",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["arbsite.schema.add_components"],
}

OTP_TOTP_ISSUER = "Spreadline"
# A code of the second factor: for the admin pages and for what starts or loosens trading.
SPREADLINE_REQUIRE_OTP = SPREADLINE_PROFILE == "live"
# How many people must approve a loosened limit; a proposer counts only where one is enough.
SPREADLINE_APPROVERS = 2 if SPREADLINE_PROFILE == "live" else 1
# A person alone may resolve a parked trade up to this residual, in USD.
SPREADLINE_RESOLVE_ALONE_USD = os.environ.get("SPREADLINE_RESOLVE_ALONE_USD", "1000")

# Console sockets that one address and one user may hold; an office may share an address.
SPREADLINE_SOCKETS_PER_ADDRESS = int(os.environ.get("SPREADLINE_SOCKETS_PER_ADDRESS", "200"))
SPREADLINE_SOCKETS_PER_USER = int(os.environ.get("SPREADLINE_SOCKETS_PER_USER", "20"))

# The desk's bounds on residuals, over all assets, in USD (see trading.execution.residual), and the
# order-rate breaker: orders and swaps that may leave within any minute.
SPREADLINE_MAX_PROVISIONAL_USD = os.environ.get("SPREADLINE_MAX_PROVISIONAL_USD", "5000")
SPREADLINE_MAX_KEEP_USD = os.environ.get("SPREADLINE_MAX_KEEP_USD", "100")
SPREADLINE_MAX_NAKED_USD = os.environ.get("SPREADLINE_MAX_NAKED_USD", "20000")
SPREADLINE_ORDERS_PER_MINUTE_ASSET = int(
    os.environ.get("SPREADLINE_ORDERS_PER_MINUTE_ASSET", "120")
)
SPREADLINE_ORDERS_PER_MINUTE = int(os.environ.get("SPREADLINE_ORDERS_PER_MINUTE", "600"))
# Which share of what OBSERVE only stores is shown to both venues, on profiles with real ones.
SPREADLINE_OBSERVE_SAMPLE_SHARE = float(os.environ.get("SPREADLINE_OBSERVE_SAMPLE_SHARE", "0.1"))

# ---- logs ---------------------------------------------------------------------------

LOGGING = logging_config(
    level=os.environ.get("SPREADLINE_LOG_LEVEL", "INFO"),
    process=os.environ.get("SPREADLINE_PROCESS", "manage"),
    as_json=_flag("SPREADLINE_JSON_LOGS"),
)
