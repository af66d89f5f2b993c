"""The model API and everything that goes into its images: training, the model store, serving, faults."""
