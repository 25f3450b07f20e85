"""What is learned: base models, the stacker that reads them, calibration, and the bundle that holds them all."""
