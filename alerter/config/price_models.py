"""The models of ``prices.yaml``. Every price and factor is quoted decimal text; a number with a fraction is refused."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from alerter.config.fields import Currency, Day, InvalidValueError, Many, OneOrMany, OrElse, Price, Text
from alerter.config.problems import did_you_mean, one_of, shown
from alerter.config.sections import Reading, Section, kind_of
from alerter.core.price_rules import TAG, dearest_hour

USD = "USD"
FACTS = ("instance_type", "provider", "region", "purchase_option", "gpu_type")
_PLACES = 18
_DECIMAL = {"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}


def _short(price: Decimal) -> Decimal:
    exponent = price.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_PLACES or len(price.as_tuple().digits) > 2 * _PLACES:
        raise InvalidValueError(f"{shown(price)} has too many digits: the most is {_PLACES} places")
    return price


def _more_than_none(factor: Decimal) -> Decimal:
    if factor == 0:
        raise InvalidValueError('must be greater than 0: what costs nothing is a price of "0"')
    return factor


Rate = Annotated[Price, AfterValidator(_short)]
"""A price of at most 18 places."""


def _believable(price: Decimal, info: ValidationInfo) -> Decimal:
    whole = info.context.whole if isinstance(info.context, Reading) else None
    currency = str(whole.get("currency") or USD) if isinstance(whole, Mapping) else USD
    dearest = dearest_hour(currency)
    if price > dearest:
        raise InvalidValueError(f"{shown(price)} is too large for an hour: the most is {dearest:,} {currency}")
    return price


HourRate = Annotated[Rate, AfterValidator(_believable)]
"""What an hour may cost."""

Factor = Annotated[Price, AfterValidator(_short), AfterValidator(_more_than_none)]
"""A factor above 0."""


def _fact(value: object) -> str:
    if isinstance(value, str):
        if value in FACTS or (value.startswith(TAG) and value != TAG):
            return value
        hint = did_you_mean(value, FACTS) or f"; expected {one_of((*FACTS, f'{TAG}NAME'))}"
        raise InvalidValueError(f"nothing is known of {shown(value)}{hint}")
    raise InvalidValueError(f"expected the name of a fact, got {kind_of(value)}")


Fact = Annotated[
    str,
    PlainValidator(_fact),
    WithJsonSchema({"type": "string", "pattern": rf"^({'|'.join(FACTS)}|tag\..+)$"}),
]
Globs = Annotated[OneOrMany[Text], Field(min_length=1)]
MatchMap = Annotated[dict[Fact, Globs], Field(min_length=1)]
"""Which usage is meant: every key's value fits one of its globs."""


def _by_glob(value: object) -> object:
    return value if isinstance(value, dict) else {"*": value}


GpuRates = Annotated[dict[Text, HourRate], BeforeValidator(_by_glob), OrElse(_DECIMAL)]
"""Prices by globs on the GPU's type, the first that fits; or one for all."""


class PartRates(Section):
    """Prices of parts, each per hour."""

    label: ClassVar[str] = "resources"
    per_vcpu_hour: HourRate | None = None
    per_gib_hour: HourRate | None = None
    per_gpu_hour: GpuRates = Field(default_factory=dict)
    per_gpu_gib_hour: HourRate | None = Field(None, description="per GiB, where only gpu_memory_gb is known")


class Dated(Section):
    """What holds on UTC days ``[effective_from, effective_to)``."""

    effective_from: Day | None = None
    effective_to: Day | None = Field(None, description="the first UTC day on which it no longer holds")

    @model_validator(mode="after")
    def _in_order(self) -> Dated:
        if self.effective_from and self.effective_to and self.effective_to <= self.effective_from:
            raise InvalidValueError(f"effective_to must be later than effective_from, {self.effective_from}")
        return self


class PriceModel(Dated, PartRates):
    """One entry of ``prices``."""

    label: ClassVar[str] = "a price"
    match: MatchMap
    per_instance_hour: HourRate | None = None
    per_dbu: Rate | None = None

    @property
    def has_parts(self) -> bool:
        """Whether it prices parts."""
        named = (self.per_vcpu_hour, self.per_gib_hour, self.per_gpu_gib_hour)
        return any(each is not None for each in named) or bool(self.per_gpu_hour)

    @model_validator(mode="after")
    def _one_kind(self) -> PriceModel:
        if self.per_instance_hour is not None and self.has_parts:
            raise InvalidValueError("per_instance_hour holds the whole machine: remove the prices of its parts")
        if self.per_instance_hour is None and self.per_dbu is None and not self.has_parts:
            raise InvalidValueError(
                "a price needs per_instance_hour, per_dbu, or prices of parts (per_gpu_hour, per_vcpu_hour, ...)"
            )
        return self


class DeriveModel(Section):
    """One entry of ``derive``: the type is rewritten, looked up again, and its price multiplied."""

    label: ClassVar[str] = "a derived price"
    match: MatchMap
    strip_prefix: Text
    multiplier: Factor


class MultiplierModel(Dated):
    """One entry of ``multipliers``; all that match apply."""

    label: ClassVar[str] = "a multiplier"
    match: MatchMap
    factor: Factor
    reason: Text | None = None


class TokenPriceModel(Dated):
    """One entry of ``tokens``."""

    label: ClassVar[str] = "a token price"
    model: Annotated[OneOrMany[Text], Field(min_length=1)]
    per_million_input: Rate
    per_million_output: Rate
    per_million_cached: Rate | None = Field(None, description="default: as per_million_input")


class DefaultsModel(Section):
    """What usage is taken for that doesn't say."""

    label: ClassVar[str] = "defaults"
    provider: Text = "aws"
    region: Text = "us-east-1"
    purchase_option: Text = "on_demand"


class StorageModel(Section):
    """The price of artifacts; a month is 730 hours."""

    label: ClassVar[str] = "storage"
    per_gib_month: Rate


class LoggedCostModel(Section):
    """Metrics and tags by which runs log their own cost."""

    label: ClassVar[str] = "logged_cost"
    metrics: OneOrMany[Text] = ()
    tags: OneOrMany[Text] = ()


class FallbackModel(Section):
    """The price of a run that nothing else prices."""

    label: ClassVar[str] = "fallback"
    per_run_hour: HourRate


def existing_file(value: object, info: ValidationInfo) -> Path:
    """Return the path of a file that is there; a relative one counts from the configuration's folder."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise InvalidValueError(f"expected the path of a file, got {kind_of(value)}")
    folder = info.context.directory if isinstance(info.context, Reading) else Path()
    path = folder / Path(value.strip()).expanduser()
    if not path.is_file():
        raise InvalidValueError(
            f"no such file: {shown(value.strip())} (a relative path counts from {folder.absolute()})"
        )
    return path


class FileCatalog(Section):
    """A catalog of the user's own."""

    label: ClassVar[str] = "a catalog"
    file: Annotated[
        Path, PlainValidator(existing_file), WithJsonSchema({"type": "string", "examples": ["contract.csv"]})
    ]


class BuiltinCatalog(FileCatalog):
    """The catalog that comes with the package, written as one word."""

    file: Path = Path()


def _catalog(value: object) -> object:
    if isinstance(value, dict | FileCatalog):
        return value
    if not isinstance(value, str):
        raise InvalidValueError(f"expected builtin or {{file: PATH}}, got {kind_of(value)}")
    if value.strip() == "builtin":
        return BuiltinCatalog()
    hint = did_you_mean(value, ["builtin"]) or "; expected builtin or {file: PATH}"
    raise InvalidValueError(f"unknown catalog {shown(value)}{hint}")


Catalog = Annotated[FileCatalog, BeforeValidator(_catalog), OrElse({"const": "builtin"})]


class PricesModel(Section):
    """``prices.yaml``; what is left out has the defaults of `alerter.core.price_rules`."""

    label: ClassVar[str] = "prices.yaml"
    currency: Currency = Field(USD, description="of every price in this file")
    catalogs: Many[Catalog] | None = Field(None, description="default: [builtin] if the currency is USD; [] is none")
    defaults: DefaultsModel = DefaultsModel()
    prices: Many[PriceModel] = Field((), description="before catalogs; the first that matches decides")
    derive: Many[DeriveModel] | None = Field(None, description="default: SageMaker's types from EC2's; [] is none")
    resources: PartRates | None = Field(None, description="default: OpenCost's rates if the currency is USD")
    storage: StorageModel | None = Field(None, description="default: 0.023 if the currency is USD")
    multipliers: Many[MultiplierModel] = Field((), description="discounts and surcharges; all that match apply")
    tokens: Many[TokenPriceModel] = Field((), description="of LLMs, before genai-prices; the first that fits decides")
    logged_cost: LoggedCostModel | None = Field(None, description="default: cost_usd if the currency is USD")
    fallback: FallbackModel | None = Field(None, description="off unless it is written")

    @field_validator("catalogs")
    @classmethod
    def _one_currency(cls, catalogs: tuple[FileCatalog, ...] | None, info: ValidationInfo) -> object:
        currency = info.data.get("currency", USD)
        if catalogs and BuiltinCatalog() in catalogs and currency != USD:
            raise InvalidValueError(
                f"the built-in catalog is in USD, this file in {currency}: remove builtin, or write currency: USD"
            )
        if catalogs and any(each in catalogs[:index] for index, each in enumerate(catalogs)):
            raise InvalidValueError("a catalog stands twice")
        return catalogs
