"""What is learned: windows, the autoencoder, the stacker, calibration, and the bundle that holds them."""
