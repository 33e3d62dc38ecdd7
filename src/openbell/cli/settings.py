"""Settings of a backtest, layered: command line, over OPENBELL__A__B variables, over later files, over earlier files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from openbell.model.errors import ConfigError
from openbell.runtime.run_files import read_table

Amount = str | int | float


class BacktestSettings(BaseSettings):
    """Everything `openbell backtest` can be told, by the names that config files and OPENBELL__ variables use."""

    model_config = SettingsConfigDict(
        env_prefix="OPENBELL__",
        env_nested_delimiter="__",
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    strategy: str | None = None
    data: str | list[str] | dict[str, str] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    cash: Amount = "10000"
    currency: str | None = None
    fees: Amount | list[Amount] = 0
    slippage: Amount = 0
    leverage: Amount = 1
    shorting: bool = True
    start: str | None = None
    end: str | None = None
    timezone: str | None = None
    warm_up: int = 0
    history: int = 1_000
    benchmark: str | None = "buy_and_hold"
    latency: str | None = None
    close_at_end: bool | Literal["open"] = False
    journal: Literal["full", "by_reference", "none"] = "full"
    seed: int = 0
    name: str | None = None
    out: str = "runs"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line, then variables, then files, the last first."""
        files = (_FileSettings(settings_cls, path) for path in reversed(_files))
        return (init_settings, env_settings, *files)


_files: Sequence[Path] = ()


class _FileSettings(PydanticBaseSettingsSource):
    """One TOML file as a layer of settings."""

    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        super().__init__(settings_cls)
        self._table = read_table(path)
        unknown = [name for name in self._table if name not in settings_cls.model_fields]
        if unknown:
            known = ", ".join(settings_cls.model_fields)
            raise ConfigError(f"{path}: unknown setting {unknown[0]!r}, expected one of {known}")

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        """One setting; unused, since the whole table is given at once."""
        return self._table.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name: _text_times(value) for name, value in self._table.items()}


def _text_times(value: Any) -> Any:
    """TOML has dates of its own; settings name times as text."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def layered_settings(files: Sequence[Path], told: Mapping[str, Any]) -> BacktestSettings:
    """The settings from `files`, the environment and `told` on the command line. Raises ConfigError naming the setting."""
    global _files
    _files = tuple(files)
    try:
        return BacktestSettings(**told)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"][:1]) or "settings"
        raise ConfigError(f"setting {name}: {first['msg']}, found {first['input']!r}") from None
    finally:
        _files = ()
