"""Plans rolling kernel upgrades of arm64 KVM fleets, and proves that the plan is safe."""

__version__ = "0.1.0"
