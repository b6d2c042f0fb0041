"""The equations of the recurrent cells, by cell; a prime marks the previous step."""

EQUATIONS = {
    "rnn": ("h = tanh(x W + h′ U + b)",),
    "lstm": (
        "i = σ(x Wᵢ + h′ Uᵢ + bᵢ)",
        "f = σ(x W_f + h′ U_f + b_f)",
        "o = σ(x Wₒ + h′ Uₒ + bₒ)",
        "g = tanh(x W_g + h′ U_g + b_g)",
        "c = f ∘ c′ + i ∘ g",
        "h = o ∘ tanh(c)",
    ),
    "gru": (
        "z = σ(x W_z + h′ U_z + b_z)",
        "r = σ(x W_r + h′ U_r + b_r)",
        "g = tanh(x W_g + b_g + r ∘ (h′ U_g + b′_g))",
        "h = z ∘ h′ + (1 − z) ∘ g",
    ),
    "peephole": (
        "i = σ(x Wᵢ + h′ Uᵢ + bᵢ + p_i ∘ c′)",
        "f = σ(x W_f + h′ U_f + b_f + p_f ∘ c′)",
        "g = tanh(x W_g + h′ U_g + b_g)",
        "c = f ∘ c′ + i ∘ g",
        "o = σ(x Wₒ + h′ Uₒ + bₒ + p_o ∘ c)",
        "h = o ∘ tanh(c)",
    ),
    "coupled": (
        "f = σ(x W_f + h′ U_f + b_f)",
        "i = 1 − f",
        "o = σ(x Wₒ + h′ Uₒ + bₒ)",
        "g = tanh(x W_g + h′ U_g + b_g)",
        "c = f ∘ c′ + i ∘ g",
        "h = o ∘ tanh(c)",
    ),
    "gru_before": (
        "z = σ(x W_z + h′ U_z + b_z)",
        "r = σ(x W_r + h′ U_r + b_r)",
        "g = tanh(x W_g + (r ∘ h′) U_g + b_g)",
        "h = z ∘ h′ + (1 − z) ∘ g",
    ),
}
