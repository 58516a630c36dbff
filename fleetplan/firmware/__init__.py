"""What KVM gives a guest. Pure: registers, kernels, levels, an executable vCPU, and what the guest sees."""
